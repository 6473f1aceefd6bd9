#include "tcg_machine.h"

#include <string.h>

Vm machine_vm;
X86CpuModel machine_model;
TcgCpu *machine_cpu;
uint8_t *machine_ram;
void (*machine_on_mmio)(uint64_t value);

static MemRegion ram, mmio;

enum { HANDLER_BYTES = 16, VECTORS = 32 };
enum { PTE_USER = 7 };

static void put64(uint64_t at, uint64_t value)
{
    memcpy(machine_ram + at, &value, sizeof(value));
}

static uint64_t get(uint64_t at, unsigned size)
{
    uint64_t value = 0;

    memcpy(&value, machine_ram + at, size);
    return value;
}

/* ---- a device page ---- */

static uint64_t mmio_read(void *opaque, uint64_t offset, unsigned size)
{
    return 0;
}

static void mmio_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    if (machine_on_mmio != NULL) {
        machine_on_mmio(value);
    }
}

static const MemOps mmio_ops = { .read = mmio_read, .write = mmio_write, .max_size = 8 };

/* ---- tables ---- */

static void put_page_tables(void)
{
    uint64_t pml4 = MACHINE_TABLES, pdpt = pml4 + 0x1000, pd = pdpt + 0x1000, pt = pd + 0x1000;

    put64(pml4, pdpt | PTE_USER);
    put64(pdpt, pd | PTE_USER);
    put64(pd, pt | PTE_USER);
    put64(pd + 8, (pt + 0x1000) | PTE_USER);
    for (unsigned i = 0; i < 1024; i++) {
        put64(pt + 8 * i, (uint64_t)i << 12 | PTE_USER);
    }
}

uint64_t *machine_pte(uint64_t linear)
{
    return (uint64_t *)(void *)(machine_ram + MACHINE_TABLES + 0x3000 + 8 * (linear >> 12));
}

static void put_gdt(void)
{
    put64(MACHINE_GDT + MACHINE_CS64, UINT64_C(0x00af9b000000ffff));
    put64(MACHINE_GDT + MACHINE_DS, UINT64_C(0x00cf93000000ffff));
    put64(MACHINE_GDT + MACHINE_CS32, UINT64_C(0x00cf9b000000ffff));
    put64(MACHINE_GDT + MACHINE_CS16, UINT64_C(0x00009b000000ffff));
    put64(MACHINE_GDT + (MACHINE_USER_CS64 & ~3), UINT64_C(0x00affb000000ffff));
    put64(MACHINE_GDT + (MACHINE_USER_DS & ~3), UINT64_C(0x00cff3000000ffff));
    put64(MACHINE_GDT + (MACHINE_USER_CS32 & ~3), UINT64_C(0x00cffb000000ffff));
}

static void put_idt(MachineMode mode)
{
    for (unsigned v = 0; v < VECTORS; v++) {
        uint64_t handler = MACHINE_HANDLERS + v * HANDLER_BYTES;

        machine_ram[handler] = 0xf4;            /* HLT */
        if (mode == MODE_REAL) {
            uint32_t vector = (uint32_t)handler;

            memcpy(machine_ram + 4 * v, &vector, 4);
        } else if (mode == MODE_LONG || mode == MODE_USER64) {
            put64(MACHINE_IDT + 16 * v,
                  handler | (uint64_t)MACHINE_CS64 << 16 | UINT64_C(0xee) << 40);
            put64(MACHINE_IDT + 16 * v + 8, 0);
        } else {
            put64(MACHINE_IDT + 8 * v,
                  handler | (uint64_t)MACHINE_CS32 << 16 | UINT64_C(0xee) << 40);
        }
    }
}

static void put_tss(MachineMode mode)
{
    memset(machine_ram + MACHINE_TSS, 0, 0x68);
    machine_ram[MACHINE_TSS + 0x66] = 0x68;         /* no I/O map */
    if (mode == MODE_USER64 || mode == MODE_LONG) {
        put64(MACHINE_TSS + 4, MACHINE_STACK);
    } else {
        put64(MACHINE_TSS + 4, MACHINE_STACK | (uint64_t)MACHINE_DS << 32);
    }
}

/* ---- modes ---- */

static void set_seg(int seg, uint16_t selector)
{
    Desc desc;

    desc_load(machine_cpu, NULL, selector, &desc);
    machine_cpu->x86.seg[seg] = desc_to_seg(&desc, selector);
}

static void set_segments(uint16_t code, uint16_t data)
{
    static const int segs[] = { SEG_ES, SEG_SS, SEG_DS, SEG_FS, SEG_GS };
    X86Cpu *x86 = &machine_cpu->x86;

    x86->gdt = (X86Table){ .base = MACHINE_GDT, .limit = 0x5f };
    x86->idt = (X86Table){ .base = MACHINE_IDT, .limit = 0xfff };
    x86->tr = (X86Seg){ .selector = MACHINE_TR, .base = MACHINE_TSS, .limit = 0x67, .attr = 0x8b };
    set_seg(SEG_CS, code);
    for (size_t i = 0; i < G_N_ELEMENTS(segs); i++) {
        set_seg(segs[i], data);
    }
}

static void set_paging(void)
{
    X86Cpu *x86 = &machine_cpu->x86;

    put_page_tables();
    x86->cr3 = MACHINE_TABLES;
    x86->cr4 = CR4_PAE | CR4_OSFXSR;
    x86->efer = EFER_LME | EFER_LMA | EFER_NXE | EFER_SCE;
    x86->cr0 |= CR0_PG;
}

static void set_mode(MachineMode mode)
{
    static const struct { uint16_t code, data; } selectors[] = {
        [MODE_PROT16] = { MACHINE_CS16, MACHINE_DS }, [MODE_PROT32] = { MACHINE_CS32, MACHINE_DS },
        [MODE_LONG] = { MACHINE_CS64, MACHINE_DS },
        [MODE_USER32] = { MACHINE_USER_CS32, MACHINE_USER_DS },
        [MODE_USER64] = { MACHINE_USER_CS64, MACHINE_USER_DS },
    };
    X86Cpu *x86 = &machine_cpu->x86;

    if (mode == MODE_REAL) {
        for (int seg = 0; seg < SEG_COUNT; seg++) {
            x86_load_real_seg(x86, seg, 0);
        }
        x86->idt = (X86Table){ .base = 0, .limit = 0x3ff };
        return;
    }
    x86->cr0 |= CR0_PE | CR0_WP | CR0_NE;
    if (mode == MODE_LONG || mode == MODE_USER64) {
        set_paging();
    }
    set_segments(selectors[mode].code, selectors[mode].data);
}

void machine_mode(MachineMode mode)
{
    X86Cpu *x86 = &machine_cpu->x86;

    x86_cpu_reset(x86);
    put_gdt();
    put_idt(mode);
    put_tss(mode);
    set_mode(mode);
    memset(x86->gpr, 0, sizeof(x86->gpr));
    x86->gpr[R_RSP] = MACHINE_STACK;
    x86->rip = MACHINE_CODE;
    accel_tcg.put_state(x86);
}

void machine_load(uint64_t at, const uint8_t *code, const uint8_t *end)
{
    memcpy(machine_ram + at, code, end - code);
    ram_mark_dirty(ram.ram, at, end - code);
}

/* ---- running ---- */

/* Where the frame's words are: [error] rip cs flags. */
static void take_frame(MachineEnd *result)
{
    const X86Cpu *x86 = &machine_cpu->x86;
    unsigned word = x86->mode & CPU_MODE_LMA ? 8 : x86->mode & CPU_MODE_PE ? 4 : 2;
    uint64_t at = x86->gpr[R_RSP] & 0xfffff;
    bool has_error = x86->mode & CPU_MODE_PE && (1u << result->vector & 0x27d00);

    if (has_error) {
        result->error = get(at, word);
        at += word;
    }
    result->rip = get(at, word);
    result->rflags = get(at + 2 * word, word);
}

MachineEnd machine_run(void)
{
    X86Cpu *x86 = &machine_cpu->x86;
    MachineEnd result = { .vector = NO_VECTOR };
    uint64_t handler;

    result.exit = accel_tcg.run(x86);
    handler = x86->rip - MACHINE_HANDLERS;
    result.rip = x86->rip;
    result.rflags = x86->rflags;
    if (result.exit == RUN_EXIT_HALT && handler < VECTORS * HANDLER_BYTES) {
        result.vector = (unsigned)(handler / HANDLER_BYTES);
        take_frame(&result);
    }
    return result;
}

/* ---- fixtures ---- */

void machine_setup(void)
{
    vm_core_init(&machine_vm, g_main_context_default(), NULL);
    mem_region_init_ram(&ram, NULL, "ram", MACHINE_RAM, NULL);
    mem_region_add(&machine_vm.system_memory, 0, &ram);
    mem_region_init_io(&mmio, NULL, "mmio", 0x1000, &mmio_ops, NULL);
    mem_region_add(&machine_vm.system_memory, MACHINE_MMIO, &mmio);
    machine_ram = ram.ram->host;
    machine_model = (X86CpuModel){ .name = g_strdup("test"), .vendor = "AuthenticAMD", .family = 15,
                                   .phys_bits = 40, .virt_bits = 48 };
    memcpy(machine_model.features, tcg_features, sizeof(machine_model.features));
    machine_vm.a20 = true;
    accel_tcg.init(&machine_vm, NULL);
    machine_cpu = g_aligned_alloc0(1, sizeof(TcgCpu), 64);
    machine_cpu->x86.vm = &machine_vm;
    machine_cpu->x86.model = &machine_model;
    machine_cpu->x86.is_bsp = true;
    g_mutex_init(&machine_cpu->x86.work_lock);
    g_ptr_array_add(machine_vm.cpus, machine_cpu);
    accel_tcg.cpu_init(&machine_cpu->x86, NULL);
    machine_on_mmio = NULL;
}

void machine_teardown(void)
{
    accel_tcg.cpu_finish(&machine_cpu->x86);
    g_ptr_array_set_size(machine_vm.cpus, 0);
    accel_tcg.finish(&machine_vm);
    g_aligned_free(machine_cpu);
    mem_region_finish(&mmio);
    mem_region_finish(&ram);
    vm_core_finish(&machine_vm);
    g_free(machine_model.name);
}
