/*
 * The software CPU: shared by all files of this folder, seen by no other.
 *
 *   decode.c      bytes → Zydis → micro-ops of one basic block (decode_*.c by instruction group)
 *   block.c       cache of blocks, chaining, invalidation when their bytes are written
 *   exec.c        the loop: events, interrupts, find the block, run it; AccelOps
 *   ops_*.c       the micro-ops
 *   mmu.c         TLB, page walks, guest loads and stores
 *   seg.c interrupt.c sysreg.c    segmentation, exception delivery, system registers
 *
 * A micro-op is a function and its operands.  It does its work on the TcgCpu and passes control
 * to the next one by NEXT(u): a sibling call in optimised builds, so dispatch is one indirect
 * jump per micro-op; a plain return to the loop in exec.c where the compiler will not do sibling
 * calls.  A micro-op may only read `u`; blocks are immutable and shared by all vCPUs.
 *
 * Faults: tcg_raise() and everything that can fault long-jumps to exec.c, which delivers.  State
 * is architectural at any such point except rip: an instruction's is tcg_insn_rip(cpu, u), and
 * whoever ends a block early by tcg_leave() sets x86.rip first. A micro-op that can fault must
 * not have changed anything yet; memory is checked before registers change.  Flags live in
 * x86.rflags; a flag-setting op has a twin that does not compute them, chosen by the decoder when
 * no later op of the block reads them (faults and interrupts are taken at boundaries where flags
 * are complete: see decode.c).
 */
#pragma once

#include <setjmp.h>

#include "accel.h"
#include "x86_cpu.h"

typedef struct TcgCpu TcgCpu;
typedef struct UOp UOp;
typedef struct Block Block;
typedef const UOp *(*UOpFn)(TcgCpu *cpu, const UOp *u);

/* 32 bytes, two to a cache line. */
struct UOp {
    UOpFn fn;
    union { uint64_t imm; int64_t simm; const void *ptr; };
    int32_t disp;               /* address: displacement */
    uint8_t r1, r2;             /* register operands: destination first */
    uint8_t base, index;        /* address: gpr numbers; 16 (always 0) for none */
    uint8_t scale;              /* address: shift 0–3 */
    uint8_t seg;                /* address: SEG_*, or UOP_SEG_NONE where base is 0 and no limit applies */
    uint8_t addr_bits;          /* 16, 32 or 64 */
    uint8_t aux;                /* third operand, condition, width … as the op says */
    uint16_t insn_off;          /* of its instruction, from the block's start */
    uint8_t insn_len;
    uint8_t flags;              /* UOP_* */
};
_Static_assert(sizeof(UOp) == 40 || sizeof(UOp) == 32, "micro-ops stay small");

#define UOP_SEG_NONE 0xff
enum { UOP_LOCK = 1, UOP_REP = 2, UOP_REPNE = 4, UOP_HIGH1 = 8, UOP_HIGH2 = 16, UOP_LAST = 32 };

#if defined(__OPTIMIZE__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) && \
    !defined(RHEA_NO_SIBLING_CALLS)
#define TCG_THREADED 1
#define NEXT(u) return (u)[1].fn(cpu, (u) + 1)
#else
#define TCG_THREADED 0
#define NEXT(u) return (u) + 1
#endif
/* Ends the run of a block: back to the loop in exec.c, which looks at events and the next block. */
#define LEAVE() return NULL

/* ---- TLB (mmu.c) ---- */

/*
 * Direct mapped, one table per privilege class.  `addend` + virtual address is the host address,
 * valid when the page's tag for the access equals (addr + size - 1) & ~0xfff: an access that
 * crosses a page misses and takes the slow path.  Tags that must be slow (MMIO, ROM writes, pages
 * with translated code or clean dirty bits, watchpoints) hold TLB_INVALID.
 */
#define TLB_BITS 11
#define TLB_SIZE (1u << TLB_BITS)
#define TLB_INVALID UINT64_C(1)
enum { ACCESS_READ, ACCESS_WRITE, ACCESS_EXEC };
typedef struct TlbEntry {
    uint64_t tag[3];
    uintptr_t addend;
} TlbEntry;

#define JUMP_CACHE_BITS 12
#define JUMP_CACHE_SIZE (1u << JUMP_CACHE_BITS)

/*
 * Privilege classes: supervisor, user, supervisor that may touch user pages (EFLAGS.AC or
 * implicit).
 */
enum { MMU_KERNEL, MMU_USER, MMU_KERNEL_AC, MMU_CLASSES };

struct TcgCpu {
    X86Cpu x86;                         /* first: a TcgCpu is an X86Cpu */

    /* running block; its rip is x86.gpr[GPR_BLOCK_RIP] */
    TlbEntry *tlb;                      /* of the current privilege class */
    Block **link;                       /* where the block just left wants its successor noted, or NULL */
    Block *jump_cache[JUMP_CACHE_SIZE]; /* by linear address; never NULL; see block_jump() in tcg_block.h */
    /* floating point (tcg_fp.h): the guest's MXCSR, x87 control word are in the host's registers */
    bool sse_live, x87_live;
    X86Vec fp_tmp, fp_out;              /* memory source, result on its way, within one instruction */
    TlbEntry tlbs[MMU_CLASSES][TLB_SIZE];
    struct TcgCodeCache *code;          /* per-vCPU part of block.c */
    sigjmp_buf fault_jmp;               /* exec.c's, armed while the guest runs */
    struct { uint8_t vector; bool has_error, soft; uint32_t error; uint64_t next_rip; } fault;
    bool bus_locked;                    /* this vCPU holds mmu_bus_lock() */
    bool one_insn;                      /* run the next instruction alone: block_check_store() */
    bool no_break;                      /* ... in spite of a break point at it */
    struct Mmu *mmu;                    /* private part of mmu.c */
    /* DR6 bits of debug traps that are due after this instruction: tcg_debug_after_insn() */
    uint32_t pending_db;
    uint8_t delivering;                 /* interrupt.c: class of the event in delivery, for #DF */
    uint8_t ext;                        /* EXT bit of error codes: 1 while an event is delivered */
};

#define TCG(cpu_) ((TcgCpu *)(cpu_))

/*
 * Guest memory by linear address, current privilege.  `u` is the micro-op on whose behalf it
 * happens, for rip and #PF.  Defined inline in tcg_mem.h: TLB hit → host access; else the *_slow
 * functions. addresses here are linear (segment base added, limit checked); see tcg_ea() in
 * tcg_mem.h.
 */
uint64_t mmu_load_slow(TcgCpu *cpu, const UOp *u, uint64_t addr, unsigned size);
void mmu_store_slow(TcgCpu *cpu, const UOp *u, uint64_t addr, uint64_t value, unsigned size);
void mmu_load_bytes(TcgCpu *cpu, const UOp *u, uint64_t addr, void *buf, unsigned len);     /* ≤ 4096 */
void mmu_store_bytes(TcgCpu *cpu, const UOp *u, uint64_t addr, const void *buf, unsigned len);
/* Faults as a write (or read) of `size` bytes would, changes nothing. */
void mmu_probe(TcgCpu *cpu, const UOp *u, uint64_t addr, unsigned size, int access);
/*
 * Host pointer for a LOCKed or read-modify-write access that lies in one page of RAM, checked for
 * writing; NULL: MMIO, ROM, a page crossing or translated code on the page: use load and store
 * under the bus lock (mmu_bus_lock).
 */
void *mmu_rmw_ptr(TcgCpu *cpu, const UOp *u, uint64_t addr, unsigned size);
void mmu_bus_lock(void);
void mmu_bus_unlock(void);
/*
 * System accesses (descriptor tables, TSS): implicit supervisor accesses (SDM 3A 4.6) whatever
 * the CPL.
 */
uint64_t mmu_load_sys(TcgCpu *cpu, const UOp *u, uint64_t addr, unsigned size);
void mmu_store_sys(TcgCpu *cpu, const UOp *u, uint64_t addr, uint64_t value, unsigned size);
/*
 * Code fetch at a linear address: physical page address, and host pointer (NULL: not RAM/ROM;
 * then fetch by mem_load).  Raises #PF with `u` NULL.
 */
uint8_t *mmu_fetch_page(TcgCpu *cpu, uint64_t addr, uint64_t *phys, RamBlock **block, uint64_t *block_page);
void mmu_flush_all(TcgCpu *cpu);                    /* this vCPU's TLB; globals too */
void mmu_flush_non_global(TcgCpu *cpu);             /* CR3 write */
void mmu_flush_page(TcgCpu *cpu, uint64_t addr);    /* INVLPG */
/*
 * A page got translated code (its DIRTY_CODE bit was set before): writes to it become slow.  Any
 * thread may call this for any vCPU, so tags are read and written with relaxed atomics
 * everywhere.
 */
void mmu_flush_host_page(TcgCpu *cpu, const uint8_t *host_page);
/*
 * After CPL, AC, CR4 or CR0 changed: cpu->tlb.  While alignment checks are live (CPU_MODE_AC) it
 * is a table that never hits, so the slow path sees every access and raises #AC.
 */
void mmu_update_class(TcgCpu *cpu);
void mmu_init(TcgCpu *cpu);
void mmu_finish(TcgCpu *cpu);
bool mmu_engine_init(Vm *vm, GError **error);       /* memory listener: flushes on view change */
void mmu_engine_finish(Vm *vm);

/* ---- faults ---- */
G_NORETURN void tcg_raise(TcgCpu *cpu, const UOp *u, unsigned vector);                   /* no error code */
G_NORETURN void tcg_raise_error(TcgCpu *cpu, const UOp *u, unsigned vector, uint32_t error);
G_NORETURN void tcg_leave(TcgCpu *cpu, RunExit why);     /* abandon the block; state complete, rip set */
/* INT n, INT3, INTO (`soft`), INT1: delivered with the rip of the next instruction. */
G_NORETURN void tcg_raise_trap(TcgCpu *cpu, const UOp *u, unsigned vector, bool soft);
static inline uint64_t tcg_insn_rip(const TcgCpu *cpu, const UOp *u)
{
    return cpu->x86.gpr[GPR_BLOCK_RIP] + u->insn_off;
}
static inline uint64_t tcg_next_rip(const TcgCpu *cpu, const UOp *u)
{
    return cpu->x86.gpr[GPR_BLOCK_RIP] + u->insn_off + u->insn_len;
}

/* ---- interrupt.c: called by exec.c with cpu->x86.rip set ---- */
/*
 * Delivers through the IDT in any mode (nested faults become #DF, then RUN_EXIT_SHUTDOWN by
 * tcg_leave). `soft`: INT n, INT3, INTO; rip pushed is next_rip.
 */
void tcg_deliver(TcgCpu *cpu, unsigned vector, bool soft, bool has_error, uint32_t error, uint64_t return_rip);
void tcg_iret(TcgCpu *cpu, const UOp *u, unsigned operand_bits);       /* sets rip; ends the block */
void tcg_enter_smm(TcgCpu *cpu);
void tcg_rsm(TcgCpu *cpu, const UOp *u);

/* ---- seg.c ---- */
void tcg_load_seg(TcgCpu *cpu, const UOp *u, int seg, uint16_t selector);  /* MOV Sreg, POP, LDS …; all checks */
void tcg_far_jump(TcgCpu *cpu, const UOp *u, uint16_t selector, uint64_t offset, unsigned operand_bits);
void tcg_far_call(TcgCpu *cpu, const UOp *u, uint16_t selector, uint64_t offset, unsigned operand_bits);
void tcg_far_return(TcgCpu *cpu, const UOp *u, unsigned operand_bits, unsigned pop_bytes);
void tcg_task_switch(TcgCpu *cpu, const UOp *u, uint16_t selector, int source /* TASK_* */, bool has_error,
                     uint32_t error, uint64_t return_rip);
enum { TASK_JUMP, TASK_CALL, TASK_IRET, TASK_INTERRUPT };
void tcg_lldt(TcgCpu *cpu, const UOp *u, uint16_t selector);
void tcg_ltr(TcgCpu *cpu, const UOp *u, uint16_t selector);
/* LAR LSL VERR VERW: true and the value, or false (ZF clear). */
bool tcg_lar(TcgCpu *cpu, const UOp *u, uint16_t selector, uint32_t *value);
bool tcg_lsl(TcgCpu *cpu, const UOp *u, uint16_t selector, uint32_t *value);
bool tcg_verify(TcgCpu *cpu, const UOp *u, uint16_t selector, bool write);
/* Limit and canonical checks for one access; raises #GP/#SS. Returns the linear address. */
uint64_t tcg_seg_check(TcgCpu *cpu, const UOp *u, int seg, uint64_t offset, unsigned size, int access);

/* ---- sysreg.c ---- */
void tcg_write_cr(TcgCpu *cpu, const UOp *u, unsigned n, uint64_t value);  /* ends the block */
uint64_t tcg_read_cr(TcgCpu *cpu, const UOp *u, unsigned n);
void tcg_write_dr(TcgCpu *cpu, const UOp *u, unsigned n, uint64_t value);
uint64_t tcg_read_dr(TcgCpu *cpu, const UOp *u, unsigned n);
void tcg_rdmsr(TcgCpu *cpu, const UOp *u);
void tcg_wrmsr(TcgCpu *cpu, const UOp *u);
void tcg_syscall(TcgCpu *cpu, const UOp *u);
void tcg_sysret(TcgCpu *cpu, const UOp *u, unsigned operand_bits);
void tcg_sysenter(TcgCpu *cpu, const UOp *u);
void tcg_sysexit(TcgCpu *cpu, const UOp *u, unsigned operand_bits);
void tcg_invpcid(TcgCpu *cpu, const UOp *u, uint64_t type, uint64_t addr_of_descriptor);
void tcg_xsetbv(TcgCpu *cpu, const UOp *u);
uint64_t tcg_tsc(TcgCpu *cpu);
void tcg_set_rflags(TcgCpu *cpu, uint64_t value, uint64_t mask);       /* then x86_update_mode if IF/TF/VM/AC/IOPL changed */
/* I/O permission: raises #GP per IOPL and the TSS bitmap. */
void tcg_check_io(TcgCpu *cpu, const UOp *u, uint16_t port, unsigned size);
/* Debug registers: data breakpoints are met in mmu.c's slow path, code ones at block boundaries. */
/*
 * exec.c before each instruction while CPU_MODE_BREAKS (blocks hold one instruction then): raises
 * #DB for a DR0–3 code breakpoint at rip unless RF is set, and clears RF.
 */
void tcg_debug_check_code(TcgCpu *cpu);
/*
 * exec.c after each instruction while CPU_MODE_BREAKS or CPU_MODE_TF was set before it: raises
 * the debug trap that is due (data breakpoints; single-step if RFLAGS.TF was set before the
 * instruction), rip being the next one.
 */
void tcg_debug_after_insn(TcgCpu *cpu, bool tf_before);
/* The debugger's break points, met by a micro-op in front of their instruction (exec.c). */
bool tcg_break_maybe(unsigned page_offset);     /* has one at some page's such byte */
const UOp *op_break(TcgCpu *cpu, const UOp *u);
/* The debugger's watch points: before and after a data access that took the slow path. */
extern bool tcg_watching;
void tcg_watch_before(TcgCpu *cpu, const UOp *u, uint64_t addr, unsigned size, int access);
void tcg_debug_data_hit(TcgCpu *cpu, uint64_t addr, unsigned size, int access);
/* The debugger's WATCH_* rows of AccelOps.set_breakpoints (others are ignored); vCPUs standing. */
void tcg_debug_set_watch(Vm *vm, const BreakPoint *list, size_t n);

/* ---- block.c ---- */

/*
 * A basic block.  It is found by where its bytes lie in host memory and by the mode they were
 * decoded for, so it does not depend on the address the guest runs it at.
 */
struct Block {
    const uint8_t *host;                /* its first byte; NULL: dead, its bytes were written; atomic */
    uint32_t mode;                      /* BLOCK_MODE_MASK bits, and BLOCK_* below */
    uint16_t bytes, n_insns, n_uops;
    Block *chain[2];                    /* successors on the same page, atomic; NULL: look up */
    Block *hash_next;
    struct BlockPage *pages[2];         /* the second: an instruction that straddles */
    Block *page_next[2];
    UOp uops[];
};
/* CPU_MODE bits that select a block. */
#define BLOCK_MODE_MASK (CPU_MODE_CPL | CPU_MODE_PE | CPU_MODE_VM86 | CPU_MODE_LMA | CPU_MODE_CS64 | \
    CPU_MODE_CS32 | CPU_MODE_SS32 | CPU_MODE_FLAT | CPU_MODE_TF | CPU_MODE_SMM | CPU_MODE_AC | CPU_MODE_TS | \
    CPU_MODE_EM | CPU_MODE_MP | CPU_MODE_OSFXSR | CPU_MODE_OSXSAVE | CPU_MODE_BREAKS | CPU_MODE_IOPL3)
/* Bits of Block.mode that no CPU mode has: never met in the jump cache. */
#define BLOCK_TRACED    (1u << 30)      /* decoded while -d exec or cpu was on: comes back to the loop */
#define BLOCK_ALONE     (1u << 31)      /* one instruction, in no table */
Block *block_find(TcgCpu *cpu);         /* for cpu->x86.rip and mode; decodes on a miss; may raise #PF */
/*
 * Before a vCPU stores into RAM whose page has DIRTY_CODE set.  If the bytes belong to the block
 * that runs `u` and more of it would follow, this does not return: the instruction starts again
 * in a block of its own, so that the next one is decoded from the new bytes.  `u` NULL: does
 * nothing.
 */
void block_check_store(TcgCpu *cpu, const UOp *u, const uint8_t *host, unsigned len);
/*
 * Before an access that shall be followed by a stop: its instruction starts again in a block of its
 * own, unless it is in one.  `u` NULL: does nothing.
 */
void block_restart_alone(TcgCpu *cpu, const UOp *u);
/* Drops all blocks.  vCPUs standing. */
void block_drop_all(void);
/*
 * After a write (any thread; ram_mark_dirty() calls it through ram_set_code_written()): drops the
 * blocks that have these bytes, and clears DIRTY_CODE if the page has none left.  Within one
 * page.
 */
void block_code_written(RamBlock *ram, uint64_t offset, uint64_t len);
void block_cpu_init(TcgCpu *cpu);
/*
 * Around a run, and whenever no block is being run in between: the arenas' turnover waits for it.
 */
void block_cpu_enter(TcgCpu *cpu);
void block_loop_top(TcgCpu *cpu);
void block_cpu_leave(TcgCpu *cpu);
void block_cpu_finish(TcgCpu *cpu);
void block_engine_init(Vm *vm);
void block_engine_finish(void);
void block_print_jit(GString *out);

/* ---- fp_host.c ---- */
void tcg_fp_release_live(TcgCpu *cpu);
/*
 * Takes the host's MXCSR and x87 control word back from the guest: before device code, after
 * run().
 */
static inline void tcg_fp_release(TcgCpu *cpu)
{
    if (cpu->sse_live || cpu->x87_live) {
        tcg_fp_release_live(cpu);
    }
}

/* ---- decode: shared by decode.c and the decode_*.c of instruction groups ---- */
typedef struct DecodeContext DecodeContext;         /* tcg_decode.h */

/*
 * One instruction by interpretation, on any engine's CPU (KVM's emulation failures): fetches at
 * rip, executes, delivers a fault if it raises one. `cpu` must have been made with TcgCpu's size.
 * False: it left the machine in shutdown.
 */
bool tcg_interpret_one(X86Cpu *cpu);
