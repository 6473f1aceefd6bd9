/*
 * Runs code on the software CPU: long mode, CPL 3, two user pages.  Every exception goes to a
 * handler that halts; which one, and the interrupted rip, rsp and flags, are read from the CPU and
 * its stack.
 */
#include "native.h"

#include <string.h>

#include "cpuid.h"
#include "fpu_state.h"
#include "tcg_sys.h"
#include "vm_core.h"

/* Physical, and for the supervisor's pages linear addresses. */
enum { RAM_BYTES = 0x200000, GDT_AT = 0x1000, IDT_AT = 0x2000, TSS_AT = 0x3000,
       HANDLERS_AT = 0x4000, STACK_TOP = 0x6000, CODE_AT = 0x8000, DATA_AT = 0x9000,
       TABLES_AT = 0x10000 };
enum { SEL_CODE0 = 0x08, SEL_CODE3 = 0x1b, SEL_DATA3 = 0x23, SEL_TSS = 0x28 };
/* Of user code by NativeMode. */
static const uint16_t code_attr[NATIVE_MODES] = { [NATIVE_64] = 0xa0fb, [NATIVE_32] = 0xc0fb };
enum { HANDLER_BYTES = 16, VECTORS = 32 };
enum { PTE_USER = 7, PTE_KERNEL = 3 };
#define PTE_NX  (UINT64_C(1) << 63)

static Vm vm;
static MemRegion ram;
static X86CpuModel model;
static TcgCpu *cpu;

static void put64(uint64_t at, uint64_t value)
{
    memcpy(ram.ram->host + at, &value, sizeof(value));
}

static uint64_t get64(uint64_t at)
{
    uint64_t value;

    memcpy(&value, ram.ram->host + at, sizeof(value));
    return value;
}

/*
 * One table of each level; the first page table maps RAM for the supervisor, the second our two
 * pages.
 */
static void put_page_tables(void)
{
    uint64_t pml4 = TABLES_AT, pdpt = pml4 + 0x1000, pd = pdpt + 0x1000, low = pd + 0x1000,
             user = low + 0x1000;

    put64(pml4, pdpt | PTE_USER);
    put64(pdpt, pd | PTE_USER);
    put64(pd, low | PTE_USER);
    put64(pd + 8 * (NATIVE_CODE >> 21), user | PTE_USER);
    for (unsigned i = 0; i < 512; i++) {
        put64(low + 8 * i, (uint64_t)i << 12 | PTE_KERNEL);
    }
    put64(user + 8 * (NATIVE_CODE >> 12 & 511), CODE_AT | PTE_USER);
    put64(user + 8 * (NATIVE_DATA >> 12 & 511), DATA_AT | PTE_USER | PTE_NX);
}

static void put_system_tables(void)
{
    put64(GDT_AT + SEL_CODE0, UINT64_C(0x00af9b000000ffff));
    put64(GDT_AT + (SEL_CODE3 & ~3), UINT64_C(0x00affb000000ffff));
    put64(GDT_AT + (SEL_DATA3 & ~3), UINT64_C(0x00cff3000000ffff));
    put64(TSS_AT + 4, STACK_TOP);
    for (unsigned v = 0; v < VECTORS; v++) {
        uint64_t handler = HANDLERS_AT + v * HANDLER_BYTES, type = 0x8e | 3 << 5;

        put64(IDT_AT + 16 * v, (handler & 0xffff) | (uint64_t)SEL_CODE0 << 16 | type << 40);
        ram.ram->host[handler] = 0xf4;          /* HLT */
    }
}

static void set_system_state(void)
{
    X86Cpu *x86 = &cpu->x86;

    x86->gdt = (X86Table){ .base = GDT_AT, .limit = 0x3f };
    x86->idt = (X86Table){ .base = IDT_AT, .limit = VECTORS * 16 - 1 };
    x86->tr = (X86Seg){ .selector = SEL_TSS, .base = TSS_AT, .limit = 0x67, .attr = 0x8b };
    x86->cr0 = CR0_PE | CR0_PG | CR0_WP | CR0_NE | CR0_MP | CR0_ET;
    x86->cr3 = TABLES_AT;
    x86->cr4 = CR4_PAE | CR4_OSFXSR | CR4_OSXMMEXCPT;
    x86->efer = EFER_LME | EFER_LMA | EFER_NXE | EFER_SCE;
}

static void set_user_segments(NativeMode mode)
{
    X86Cpu *x86 = &cpu->x86;

    for (unsigned i = 0; i < SEG_COUNT; i++) {
        x86->seg[i] = (X86Seg){ .selector = SEL_DATA3, .limit = UINT32_MAX, .attr = 0xc0f3 };
    }
    x86->seg[SEG_CS] = (X86Seg){ .selector = SEL_CODE3, .limit = UINT32_MAX,
                                 .attr = code_attr[mode] };
    x86->halted = false;
    tcg_mode_changed(cpu);
}

void native_guest_setup(void)
{
    vm_core_init(&vm, g_main_context_default(), NULL);
    mem_region_init_ram(&ram, NULL, "ram", RAM_BYTES, NULL);
    mem_region_add(&vm.system_memory, 0, &ram);
    model = (X86CpuModel){ .name = g_strdup("native"), .vendor = "AuthenticAMD", .family = 15,
                           .phys_bits = 40, .virt_bits = 48 };
    memcpy(model.features, tcg_features, sizeof(model.features));
    accel_tcg.init(&vm, NULL);
    cpu = g_aligned_alloc0(1, sizeof(TcgCpu), 64);
    cpu->x86.vm = &vm;
    cpu->x86.model = &model;
    cpu->x86.is_bsp = true;
    g_mutex_init(&cpu->x86.work_lock);
    x86_cpu_reset(&cpu->x86);
    g_ptr_array_add(vm.cpus, cpu);
    accel_tcg.cpu_init(&cpu->x86, NULL);
    put_page_tables();
    put_system_tables();
    memset(ram.ram->host + CODE_AT, 0xcc, NATIVE_PAGE);
    set_system_state();
}

void native_guest_teardown(void)
{
    accel_tcg.cpu_finish(&cpu->x86);
    g_ptr_array_set_size(vm.cpus, 0);
    accel_tcg.finish(&vm);
    g_aligned_free(cpu);
    mem_region_finish(&ram);
    vm_core_finish(&vm);
    g_free(model.name);
}

void native_guest_load(const NativeCode *code)
{
    uint8_t *at = ram.ram->host + CODE_AT + NATIVE_CODE_START;

    memcpy(at, code->bytes, code->length);
    memset(at + code->length, 0xcc, sizeof(code->bytes) - code->length);
    block_code_written(ram.ram, CODE_AT + NATIVE_CODE_START, sizeof(code->bytes));
}

/*
 * The frame an exception left at the top of the supervisor's stack: [error] rip cs rflags rsp ss.
 */
static void take_frame(NativeState *state)
{
    const X86Cpu *x86 = &cpu->x86;

    state->vector = (unsigned)((x86->rip - HANDLERS_AT) / HANDLER_BYTES);
    state->rip = get64(STACK_TOP - 40);
    state->rflags = get64(STACK_TOP - 24);
    state->gpr[R_RSP] = get64(STACK_TOP - 16);
}

void native_guest_run(const NativeCode *code, NativeState *state)
{
    X86Cpu *x86 = &cpu->x86;

    set_user_segments(code->mode);
    memcpy(x86->gpr, state->gpr, sizeof(state->gpr));
    x86->rip = state->rip;
    x86->rflags = state->rflags;
    fpu_from_fxsave(&x86->fpu, state->fx, true, true);
    memcpy(ram.ram->host + DATA_AT, state->data, NATIVE_PAGE);
    RunExit why = accel_tcg.run(x86);

    g_assert(why == RUN_EXIT_HALT);
    memcpy(state->gpr, x86->gpr, sizeof(state->gpr));
    fpu_to_fxsave(&x86->fpu, state->fx, true, true);
    memcpy(state->data, ram.ram->host + DATA_AT, NATIVE_PAGE);
    take_frame(state);
}
