/*
 * The state of one x86 CPU, borrowed by both engines and seen by the monitors.
 *
 * Owner: the vCPU's thread while it runs; anybody with the machine lock while it stands
 * (vcpu_sync()).  `events` and the fields marked atomic may be touched by any thread.  Bits are
 * named as in the Intel SDM volume 3A chapters 2–6.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "vm_core.h"

enum { R_RAX, R_RCX, R_RDX, R_RBX, R_RSP, R_RBP, R_RSI, R_RDI, R_R8, R_R9, R_R10, R_R11, R_R12,
       R_R13, R_R14, R_R15,
       GPR_NONE,                    /* always 0: "no register" in address forms */
       GPR_BLOCK_RIP,       /* software CPU: rip of the running block, base of rip-relative forms */
       GPR_TEMP,                  /* software CPU: base of forms whose displacement needs 64 bits */
       GPR_COUNT };
enum { SEG_ES, SEG_CS, SEG_SS, SEG_DS, SEG_FS, SEG_GS, SEG_COUNT };

#define RFLAGS_CF       (1u << 0)
#define RFLAGS_FIXED    (1u << 1)
#define RFLAGS_PF       (1u << 2)
#define RFLAGS_AF       (1u << 4)
#define RFLAGS_ZF       (1u << 6)
#define RFLAGS_SF       (1u << 7)
#define RFLAGS_TF       (1u << 8)
#define RFLAGS_IF       (1u << 9)
#define RFLAGS_DF       (1u << 10)
#define RFLAGS_OF       (1u << 11)
#define RFLAGS_IOPL     (3u << 12)
#define RFLAGS_NT       (1u << 14)
#define RFLAGS_RF       (1u << 16)
#define RFLAGS_VM       (1u << 17)
#define RFLAGS_AC       (1u << 18)
#define RFLAGS_VIF      (1u << 19)
#define RFLAGS_VIP      (1u << 20)
#define RFLAGS_ID       (1u << 21)
#define RFLAGS_ARITH    (RFLAGS_CF | RFLAGS_PF | RFLAGS_AF | RFLAGS_ZF | RFLAGS_SF | RFLAGS_OF)

#define CR0_PE (1u << 0)
#define CR0_MP (1u << 1)
#define CR0_EM (1u << 2)
#define CR0_TS (1u << 3)
#define CR0_ET (1u << 4)
#define CR0_NE (1u << 5)
#define CR0_WP (1u << 16)
#define CR0_AM (1u << 18)
#define CR0_NW (1u << 29)
#define CR0_CD (1u << 30)
#define CR0_PG (1u << 31)

#define CR4_VME         (1u << 0)
#define CR4_PVI         (1u << 1)
#define CR4_TSD         (1u << 2)
#define CR4_DE          (1u << 3)
#define CR4_PSE         (1u << 4)
#define CR4_PAE         (1u << 5)
#define CR4_MCE         (1u << 6)
#define CR4_PGE         (1u << 7)
#define CR4_PCE         (1u << 8)
#define CR4_OSFXSR      (1u << 9)
#define CR4_OSXMMEXCPT  (1u << 10)
#define CR4_UMIP        (1u << 11)
#define CR4_LA57        (1u << 12)
#define CR4_VMXE        (1u << 13)
#define CR4_FSGSBASE    (1u << 16)
#define CR4_PCIDE       (1u << 17)
#define CR4_OSXSAVE     (1u << 18)
#define CR4_SMEP        (1u << 20)
#define CR4_SMAP        (1u << 21)
#define CR4_PKE         (1u << 22)

#define EFER_SCE   (1u << 0)
#define EFER_LME   (1u << 8)
#define EFER_LMA   (1u << 10)
#define EFER_NXE   (1u << 11)
#define EFER_SVME  (1u << 12)
#define EFER_FFXSR (1u << 14)

/* Exception vectors */
enum { EXC_DE = 0, EXC_DB = 1, EXC_NMI = 2, EXC_BP = 3, EXC_OF = 4, EXC_BR = 5, EXC_UD = 6,
       EXC_NM = 7, EXC_DF = 8, EXC_TS = 10, EXC_NP = 11, EXC_SS = 12, EXC_GP = 13, EXC_PF = 14,
       EXC_MF = 16, EXC_AC = 17, EXC_MC = 18, EXC_XM = 19, EXC_NONE = 0xff };

/*
 * Attributes as in a descriptor's second word shifted right by 8 (the layout KVM, VMX and QEMU's
 * dumps derive from): type 0–3, S 4, DPL 5–6, P 7, AVL 12, L 13, D/B 14, G 15.
 */
typedef struct X86Seg {
    uint16_t selector, attr;
    uint32_t limit;                 /* in bytes, scaled by G already */
    uint64_t base;
} X86Seg;
#define SEG_ATTR_TYPE   0x000f
#define SEG_ATTR_S      0x0010
#define SEG_ATTR_DPL    0x0060
#define SEG_ATTR_P      0x0080
#define SEG_ATTR_AVL    0x1000
#define SEG_ATTR_L      0x2000
#define SEG_ATTR_DB     0x4000
#define SEG_ATTR_G      0x8000
#define SEG_ATTR_NULL   0           /* unusable: null selector loaded */
static inline unsigned seg_dpl(const X86Seg *seg) { return seg->attr >> 5 & 3; }

typedef struct X86Table { uint64_t base; uint16_t limit; } X86Table;

typedef union X86Vec {
    uint8_t u8[32]; uint16_t u16[16]; uint32_t u32[8]; uint64_t u64[4];
    float f32[8]; double f64[4];
} __attribute__((aligned(32))) X86Vec;

typedef union X86Reg80 {
    struct { uint64_t mantissa; uint16_t sign_exp; };
    uint8_t bytes[16];
} __attribute__((aligned(16))) X86Reg80;

/* x87, MMX and SSE state, taken apart; fpu_state.h converts to FXSAVE and XSAVE images. */
typedef struct X86Fpu {
    X86Reg80 r[8];                  /* physical registers R0–R7; ST(i) is r[(top + i) & 7] */
    uint16_t fcw, fsw, fop;         /* fsw holds TOP */
    uint8_t ftw;                    /* abridged: bit n set if physical register n is not empty */
    uint64_t fip, fdp;
    uint16_t fcs, fds;
    uint32_t mxcsr;
    X86Vec v[16];                   /* xmm in the low half, ymm above */
} X86Fpu;

typedef enum MpState { MP_RUNNABLE, MP_WAIT_FOR_SIPI } MpState;

/* Bits of X86Cpu.events: set by any thread (then vcpu_kick), cleared by the vCPU. */
enum {
    /* LAPIC or PIC has an interrupt to deliver: level, see intc.pending */
    CPU_EVENT_INTR      = 1 << 0,
    CPU_EVENT_NMI       = 1 << 1,
    CPU_EVENT_SMI       = 1 << 2,
    CPU_EVENT_INIT      = 1 << 3,
    CPU_EVENT_SIPI      = 1 << 4,   /* vector in sipi_vector */
    CPU_EVENT_KICK      = 1 << 5,   /* leave run() */
    CPU_EVENT_TLB_FLUSH = 1 << 6,   /* tcg: drop all translations of addresses */
    CPU_EVENT_A20       = 1 << 7,
    CPU_EVENT_MCE       = 1 << 8,
};

/*
 * The CPU's side of its interrupt controller, filled in by the LAPIC device (or the board's PIC).
 */
typedef struct CpuIntc {
    void *opaque;
    /*
     * Takes the interrupt to deliver: vector, or -1 (none any more). vCPU thread; takes the
     * machine lock.
     */
    int (*acknowledge)(void *opaque);
    uint8_t (*get_tpr)(void *opaque);               /* CR8, 0–15 */
    void (*set_tpr)(void *opaque, uint8_t tpr);
    uint64_t (*get_base)(void *opaque);             /* IA32_APIC_BASE */
    bool (*set_base)(void *opaque, uint64_t value); /* false: #GP */
    /* x2APIC 0x800–0x8ff, TSC deadline */
    bool (*read_msr)(void *opaque, uint32_t msr, uint64_t *value);
    bool (*write_msr)(void *opaque, uint32_t msr, uint64_t value);      /* false: #GP */
    void (*reset)(void *opaque, bool init);         /* CPU reset or INIT */
} CpuIntc;

typedef struct X86CpuModel X86CpuModel;             /* cpuid.h */

struct X86Cpu {
    /* ---- hot: what the software CPU touches every instruction ---- */
    uint64_t gpr[GPR_COUNT];
    uint64_t rip;
    uint64_t rflags;
    uint32_t events;                /* atomic: CPU_EVENT_* */
    uint32_t mode;                  /* CPU_MODE_* summary, by x86_update_mode() */
    X86Seg seg[SEG_COUNT];

    /* ---- system ---- */
    X86Seg ldt, tr;
    X86Table gdt, idt;
    uint64_t cr0, cr2, cr3, cr4, xcr0, efer;
    uint64_t dr[8];                 /* 0–3, 6, 7 */
    uint64_t star, lstar, cstar, fmask, kernel_gs_base;
    uint32_t sysenter_cs;
    uint64_t sysenter_esp, sysenter_eip;
    uint64_t pat, mtrr_deftype, mtrr_fixed[11], mtrr_var[8][2];
    uint64_t tsc_offset, tsc_adjust, tsc_aux, misc_enable, debugctl, spec_ctrl, smbase,
        feature_control;
    uint64_t mcg_cap, mcg_status, mcg_ctl, mc_banks[10][4];
    uint64_t kvm_system_time, kvm_wall_clock, kvm_async_pf_en, kvm_steal_time, kvm_pv_eoi, kvm_poll;
    uint64_t xss;
    X86Fpu fpu;

    /* ---- events in progress ---- */
    bool halted;                    /* HLT: waits for an interrupt */
    bool nmi_blocked;               /* until IRET */
    bool in_smm;
    uint8_t intr_shadow;    /* 1: STI, 2: MOV SS / POP SS — blocks interrupts for one instruction */
    uint8_t exception;              /* pending for delivery (debug injection, KVM), or EXC_NONE */
    bool exception_has_error, exception_injected;
    uint32_t exception_error;
    int16_t interrupt_injected;     /* vector being delivered (KVM), or -1 */
    bool interrupt_soft;
    uint8_t sipi_vector;            /* atomic */
    MpState mp_state;

    /* ---- identity: fixed after creation ---- */
    Object obj;                     /* "qemu64-x86_64-cpu" */
    Vm *vm;
    unsigned index;
    uint32_t apic_id;
    bool is_bsp;
    const X86CpuModel *model;
    CpuIntc intc;
    Device *apic;                   /* LAPIC device, NULL with an in-kernel one */

    /* ---- thread: accel/vcpu.c ---- */
    GThread *thread;
    int thread_id;                  /* host thread id, for `info cpus` */
    bool created, stop, stopped, exit_request;      /* machine lock */
    bool in_run;                    /* atomic: between entry to and return from ops->run() */
    bool state_in_engine;           /* kvm: registers live in the kernel; get_state() fetches */
    bool state_changed;             /* put_state() before the next run */
    void *engine;                   /* kvm: its side of this CPU */
    uint32_t asleep;                /* atomic: its thread waits on `events` (vcpu.c) */
    GMutex work_lock;
    GQueue work;                    /* work_lock */

    /* ---- debugging: asked for and told by debug.h; machine lock, CPU standing ---- */
    bool single_step;
    bool step_interrupts;           /* which may lead into an interrupt's handler */
    bool debug_hold;                /* stands while the others run */
    /* Points do not stop the next instruction if it is the one at debug_pass_addr (linear). */
    bool debug_pass;
    uint64_t debug_pass_addr;
    /* What the engine met last, where (linear), and whether it was told: else it still will be. */
    enum { DEBUG_NONE, DEBUG_BREAK, DEBUG_STEP, DEBUG_WATCH } debug_hit;
    bool debug_told;
    uint64_t debug_addr;
};

/*
 * Summary of the mode, for decoders: everything that changes how bytes decode or checks are done.
 */
enum {
    CPU_MODE_CPL        = 3,        /* bits 0–1 */
    CPU_MODE_PE         = 1 << 2,
    CPU_MODE_VM86       = 1 << 3,
    CPU_MODE_LMA        = 1 << 4,   /* long mode active */
    CPU_MODE_CS64       = 1 << 5,   /* 64-bit code */
    CPU_MODE_CS32       = 1 << 6,   /* D bit of CS */
    CPU_MODE_SS32       = 1 << 7,   /* B bit of SS (or 64-bit) */
    CPU_MODE_FLAT       = 1 << 8,   /* DS ES SS bases are 0 and limits 4 GiB, expand-up, usable */
    CPU_MODE_PG         = 1 << 9,
    CPU_MODE_TF         = 1 << 10,  /* trap flag or a debugger's single step */
    CPU_MODE_SMM        = 1 << 11,
    CPU_MODE_AC         = 1 << 12,  /* alignment checks are live: CR0.AM, EFLAGS.AC, CPL 3 */
    CPU_MODE_TS         = 1 << 13,  /* CR0.TS */
    CPU_MODE_EM         = 1 << 14,  /* CR0.EM */
    CPU_MODE_MP         = 1 << 15,
    CPU_MODE_OSFXSR     = 1 << 16,
    CPU_MODE_OSXSAVE    = 1 << 17,
    CPU_MODE_BREAKS     = 1 << 18,  /* DR7 has breakpoints armed */
    CPU_MODE_IOPL3      = 1 << 19,  /* IOPL ≥ CPL */
};
void x86_update_mode(X86Cpu *cpu);
static inline unsigned x86_cpl(const X86Cpu *cpu) { return cpu->mode & CPU_MODE_CPL; }
static inline uint64_t x86_linear_rip(const X86Cpu *cpu)
{
    return cpu->mode & CPU_MODE_CS64 ? cpu->rip : (uint32_t)(cpu->seg[SEG_CS].base + cpu->rip);
}
/* Width of the code being executed: 16, 32 or 64. */
static inline int x86_code_bits(const X86Cpu *cpu)
{
    return cpu->mode & CPU_MODE_CS64 ? 64 : cpu->mode & CPU_MODE_CS32 ? 32 : 16;
}
/* The next instruction is executed whatever points the debugger has on it. */
static inline bool x86_passes_point(const X86Cpu *cpu)
{
    return cpu->debug_pass && cpu->debug_pass_addr == x86_linear_rip(cpu);
}

/*
 * A CPU for board slot `index`: allocates accel->cpu_size, joins vm->cpus. Freed by
 * x86_cpu_free().
 */
X86Cpu *x86_cpu_new(Vm *vm, unsigned index, uint32_t apic_id, const X86CpuModel *model);
void x86_cpu_free(X86Cpu *cpu);
void x86_cpu_reset(X86Cpu *cpu);                /* power-on or system reset; APs wait for SIPI */
void x86_cpu_init(X86Cpu *cpu);          /* INIT (SDM 3A 9.1, table 9-1): keeps caches, FPU, MSRs */
void x86_cpu_sipi(X86Cpu *cpu, uint8_t vector);
bool x86_cpu_has_work(X86Cpu *cpu);             /* a halted CPU would wake */

/* Any thread: sets/clears event bits and kicks or wakes the vCPU where needed (kick by accel). */
void cpu_raise(X86Cpu *cpu, uint32_t events);
void cpu_lower(X86Cpu *cpu, uint32_t events);

/* Sets bases, limits and attributes as real mode does. */
void x86_load_real_seg(X86Cpu *cpu, int seg, uint16_t selector);

/* State for migration and savevm; layout is ours until migration pins it. */
extern const StateDesc x86_cpu_state;

/*
 * Text of `info registers` for one CPU, "\nCPU#n\n" first, to the character as QEMU 7.2 prints it.
 */
void x86_print_registers(const X86Cpu *cpu, GString *out);
