#include "sys_machine.h"

#include <setjmp.h>
#include <string.h>

Vm sys_vm;
X86CpuModel sys_model;
TcgCpu *sys_cpu;
unsigned sys_code_checks;

static MemRegion ram;
static sigjmp_buf landing;
static SysResult result;

/* ---- what exec.c, block.c and vcpu.c are to the functions under test ---- */

void tcg_raise_error(TcgCpu *cpu, const UOp *u, unsigned vector, uint32_t error)
{
    result = (SysResult){ .raised = true, .vector = vector, .has_error = true, .error = error };
    siglongjmp(landing, 1);
}

void tcg_raise(TcgCpu *cpu, const UOp *u, unsigned vector)
{
    result = (SysResult){ .raised = true, .vector = vector };
    siglongjmp(landing, 1);
}

void tcg_leave(TcgCpu *cpu, RunExit why)
{
    result = (SysResult){ .left = true, .exit = why };
    siglongjmp(landing, 1);
}

void block_check_store(TcgCpu *cpu, const UOp *u, const uint8_t *host, unsigned len)
{
    sys_code_checks++;
}

void block_restart_alone(TcgCpu *cpu, const UOp *u)
{
}

bool vcpu_is_self(const X86Cpu *cpu)
{
    return true;
}

SysResult sys_try(SysFn fn, void *arg)
{
    result = (SysResult){ 0 };
    if (sigsetjmp(landing, 0) == 0) {
        fn(arg);
    }
    return result;
}

typedef struct DeliverArgs {
    unsigned vector;
    bool soft, has_error;
    uint32_t error;
    uint64_t return_rip;
} DeliverArgs;

static void deliver(void *arg)
{
    const DeliverArgs *args = arg;

    tcg_deliver(sys_cpu, args->vector, args->soft, args->has_error, args->error, args->return_rip);
}

SysResult sys_deliver(unsigned vector, bool soft, bool has_error, uint32_t error,
                      uint64_t return_rip)
{
    DeliverArgs args = { vector, soft, has_error, error, return_rip };
    SysResult last = sys_try(deliver, &args);

    while (last.raised) {
        args = (DeliverArgs){ last.vector, false, last.has_error, last.error, sys_cpu->x86.rip };
        last = sys_try(deliver, &args);
    }
    return last;
}

/* ---- memory ---- */

uint64_t sys_peek(uint64_t phys, unsigned size)
{
    uint64_t value = 0;

    memcpy(&value, ram.ram->host + phys, size);
    return value;
}

void sys_poke(uint64_t phys, uint64_t value, unsigned size)
{
    memcpy(ram.ram->host + phys, &value, size);
}

void sys_put_desc(unsigned selector, uint32_t base, uint32_t limit, uint16_t attr)
{
    uint64_t at = SYS_GDT + (selector & ~7u);
    uint32_t units = attr & SEG_ATTR_G ? limit >> 12 : limit;

    sys_poke(at, (units & 0xffff) | base << 16, 4);
    sys_poke(at + 4,
             (base >> 16 & 0xff) | (uint32_t)attr << 8 | (units & 0xf0000) | (base & 0xff000000u),
             4);
}

void sys_put_gate(uint64_t addr, uint16_t selector, uint64_t offset, unsigned type, unsigned dpl,
                  unsigned params)
{
    sys_poke(addr, (offset & 0xffff) | (uint32_t)selector << 16, 4);
    sys_poke(addr + 4, params | (type | dpl << 5 | 0x80) << 8 | (offset & 0xffff0000u), 4);
    if (sys_cpu->x86.efer & EFER_LMA) {
        sys_poke(addr + 8, offset >> 32, 8);
    }
}

/* ---- modes ---- */

static const struct { uint16_t selector, attr; } descriptors[] = {
    { SEL_CODE0, 0xc09b }, { SEL_DATA0, 0xc093 }, { SEL_CODE3, 0xc0fb }, { SEL_DATA3, 0xc0f3 },
    { SEL_CONFORMING, 0xc09f }, { SEL_EXEC_ONLY, 0xc099 }, { SEL_READ_ONLY, 0xc091 },
    { SEL_ABSENT, 0xc013 },
};

static void set_seg(int seg, uint16_t selector)
{
    Desc desc;

    desc_load(sys_cpu, NULL, selector, &desc);
    sys_cpu->x86.seg[seg] = desc_to_seg(&desc, selector);
}

static void load_level(unsigned cpl)
{
    static const int data[] = { SEG_ES, SEG_SS, SEG_DS, SEG_FS, SEG_GS };

    set_seg(SEG_CS, cpl == 0 ? SEL_CODE0 : SEL_CODE3);
    for (size_t i = 0; i < G_N_ELEMENTS(data); i++) {
        set_seg(data[i], cpl == 0 ? SEL_DATA0 : SEL_DATA3);
    }
    sys_cpu->x86.gpr[R_RSP] = cpl == 0 ? SYS_STACK0 : SYS_STACK3;
    sys_cpu->x86.rip = SYS_CODE;
    tcg_mode_changed(sys_cpu);
}

static void put_tables(void)
{
    X86Cpu *x86 = &sys_cpu->x86;

    for (size_t i = 0; i < G_N_ELEMENTS(descriptors); i++) {
        sys_put_desc(descriptors[i].selector, 0, UINT32_MAX, descriptors[i].attr);
    }
    sys_put_desc(SEL_EXPAND_DOWN, 0, 0xfff, 0x4097);
    sys_put_desc(SEL_TSS, SYS_TSS, 0xff, 0x0089);
    sys_put_desc(SEL_LDT, SYS_LDT_AT, 0x1f, 0x0082);
    x86->gdt = (X86Table){ .base = SYS_GDT, .limit = 0xff };
    x86->idt = (X86Table){ .base = SYS_IDT, .limit = 0xfff };
    x86->tr = (X86Seg){ .selector = SEL_TSS, .base = SYS_TSS, .limit = 0xff, .attr = 0x8b };
    sys_poke(SYS_TSS + 0x66, 0x68, 2);
}

void sys_protected(unsigned cpl)
{
    sys_cpu->x86.cr0 |= CR0_PE;
    put_tables();
    sys_poke(SYS_TSS + 4, SYS_STACK0, 4);
    sys_poke(SYS_TSS + 8, SEL_DATA0, 4);
    tcg_mode_changed(sys_cpu);
    load_level(cpl);
}

void sys_long(unsigned cpl)
{
    X86Cpu *x86 = &sys_cpu->x86;

    put_tables();
    sys_put_desc(SEL_CODE0, 0, UINT32_MAX, 0xa09b);
    sys_put_desc(SEL_CODE3, 0, UINT32_MAX, 0xa0fb);
    sys_poke(SYS_TSS + 4, SYS_STACK0, 8);
    sys_poke(SYS_TABLES, (SYS_TABLES + 0x1000) | 7, 8);
    sys_poke(SYS_TABLES + 0x1000, (SYS_TABLES + 0x2000) | 7, 8);
    for (unsigned i = 0; i < 2; i++) {
        sys_poke(SYS_TABLES + 0x2000 + 8 * i, i * 0x200000 | 0x87, 8);
    }
    x86->cr3 = SYS_TABLES;
    x86->cr4 = CR4_PAE;
    x86->efer = EFER_LME | EFER_LMA | EFER_NXE | EFER_SCE;
    x86->cr0 |= CR0_PE | CR0_PG | CR0_WP;
    tcg_mode_changed(sys_cpu);
    load_level(cpl);
}

/* ---- fixtures ---- */

void sys_setup(void)
{
    vm_core_init(&sys_vm, g_main_context_default(), NULL);
    mem_region_init_ram(&ram, NULL, "ram", SYS_RAM, NULL);
    mem_region_add(&sys_vm.system_memory, 0, &ram);
    sys_model = (X86CpuModel){
        .name = g_strdup("test"), .phys_bits = 40, .virt_bits = 48, .family = 15,
        .vendor = "AuthenticAMD",
    };
    memset(sys_model.features, 0xff, sizeof(sys_model.features));
    sys_cpu = g_aligned_alloc0(1, sizeof(TcgCpu), 64);
    sys_cpu->x86.vm = &sys_vm;
    sys_cpu->x86.model = &sys_model;
    sys_cpu->x86.is_bsp = true;
    x86_cpu_reset(&sys_cpu->x86);
    g_ptr_array_add(sys_vm.cpus, sys_cpu);
    mmu_engine_init(&sys_vm, NULL);
    mmu_init(sys_cpu);
    sys_code_checks = 0;
}

void sys_teardown(void)
{
    g_ptr_array_set_size(sys_vm.cpus, 0);
    mmu_engine_finish(&sys_vm);
    mmu_finish(sys_cpu);
    g_aligned_free(sys_cpu);
    mem_region_finish(&ram);
    g_free(sys_model.name);
}
