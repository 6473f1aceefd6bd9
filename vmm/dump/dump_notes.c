/*
 * A CPU's registers as ELF notes: Linux's struct elf_prstatus (core(5), NT_PRSTATUS), and the note
 * QEMU has for what that has no room for.
 */
#include "dump_parts.h"

#include <elf.h>
#include <string.h>

/* struct elf_prstatus of x86-64 and of i386: the fields nobody fills are left out as room. */
typedef struct Prstatus64 {
    uint8_t room1[32];
    uint32_t pid;
    uint8_t room2[76];
    uint64_t regs[27];
    uint8_t room3[8];
} Prstatus64;
G_STATIC_ASSERT(sizeof(Prstatus64) == 336);

typedef struct Prstatus32 {
    uint8_t room1[24];
    uint32_t pid;
    uint8_t room2[44];
    uint32_t regs[17];
    uint8_t room3[4];
} Prstatus32;
G_STATIC_ASSERT(sizeof(Prstatus32) == 144);

/* The note "QEMU", version 1. */
typedef struct QemuSegment { uint32_t selector, limit, flags, room; uint64_t base; } QemuSegment;
typedef struct QemuState {
    uint32_t version, size;
    uint64_t gpr[16], rip, rflags;      /* rax rbx rcx rdx rsi rdi rsp rbp r8 … r15 */
    QemuSegment cs, ds, es, fs, gs, ss, ldt, tr, gdt, idt;
    uint64_t cr[5];
    uint64_t kernel_gs_base;
} QemuState;
G_STATIC_ASSERT(sizeof(QemuState) == 440);

static void append_padded(GByteArray *out, const void *data, size_t len)
{
    static const uint8_t zeroes[4];

    g_byte_array_append(out, data, len);
    g_byte_array_append(out, zeroes, -len & 3);
}

static void append_note(GByteArray *out, const char *name, uint32_t type, const void *data,
                        size_t len)
{
    Elf64_Nhdr head = { .n_namesz = strlen(name) + 1, .n_descsz = len, .n_type = type };

    g_byte_array_append(out, (const uint8_t *)&head, sizeof(head));
    append_padded(out, name, head.n_namesz);
    append_padded(out, data, len);
}

/* In the order of struct user_regs_struct (sys/user.h). */
static void append_prstatus64(GByteArray *out, const X86Cpu *cpu)
{
    const uint64_t *r = cpu->gpr;
    const X86Seg *seg = cpu->seg;
    Prstatus64 status = {
        .pid = cpu->index + 1,
        .regs = { r[15], r[14], r[13], r[12], r[R_RBP], r[R_RBX], r[11], r[10], r[9], r[8],
                  r[R_RAX], r[R_RCX], r[R_RDX], r[R_RSI], r[R_RDI], 0, cpu->rip,
                  seg[SEG_CS].selector, cpu->rflags, r[R_RSP], seg[SEG_SS].selector,
                  seg[SEG_FS].base, seg[SEG_GS].base, seg[SEG_DS].selector, seg[SEG_ES].selector,
                  seg[SEG_FS].selector, seg[SEG_GS].selector },
    };

    append_note(out, "CORE", NT_PRSTATUS, &status, sizeof(status));
}

static void append_prstatus32(GByteArray *out, const X86Cpu *cpu)
{
    const uint64_t *r = cpu->gpr;
    const X86Seg *seg = cpu->seg;
    Prstatus32 status = {
        .pid = cpu->index + 1,
        .regs = { r[R_RBX], r[R_RCX], r[R_RDX], r[R_RSI], r[R_RDI], r[R_RBP],
                  r[R_RAX], seg[SEG_DS].selector, seg[SEG_ES].selector, seg[SEG_FS].selector,
                  seg[SEG_GS].selector, 0, cpu->rip, seg[SEG_CS].selector, cpu->rflags,
                  r[R_RSP], seg[SEG_SS].selector },
    };

    append_note(out, "CORE", NT_PRSTATUS, &status, sizeof(status));
}

static QemuSegment segment(const X86Seg *seg)
{
    return (QemuSegment){ .selector = seg->selector, .limit = seg->limit,
                          .flags = (uint32_t)seg->attr << 8, .base = seg->base };
}

static QemuSegment table(const X86Table *table)
{
    return (QemuSegment){ .limit = table->limit, .base = table->base };
}

static void append_qemu(GByteArray *out, const X86Cpu *cpu)
{
    static const uint8_t order[16] = { R_RAX, R_RBX, R_RCX, R_RDX, R_RSI, R_RDI,
                                       R_RSP, R_RBP, 8, 9, 10, 11, 12, 13, 14, 15 };
    const X86Seg *seg = cpu->seg;
    QemuState state = {
        .version = 1, .size = sizeof(state), .rip = cpu->rip, .rflags = cpu->rflags,
        .cs = segment(&seg[SEG_CS]), .ds = segment(&seg[SEG_DS]), .es = segment(&seg[SEG_ES]),
        .fs = segment(&seg[SEG_FS]), .gs = segment(&seg[SEG_GS]), .ss = segment(&seg[SEG_SS]),
        .ldt = segment(&cpu->ldt), .tr = segment(&cpu->tr), .gdt = table(&cpu->gdt),
        .idt = table(&cpu->idt), .cr = { cpu->cr0, 0, cpu->cr2, cpu->cr3, cpu->cr4 },
        .kernel_gs_base = cpu->kernel_gs_base,
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(order); i++) {
        state.gpr[i] = cpu->gpr[order[i]];
    }
    append_note(out, "QEMU", 0, &state, sizeof(state));
}

GByteArray *dump_notes(Vm *vm, bool long_mode)
{
    GByteArray *out = g_byte_array_new();

    for (guint i = 0; i < vm->cpus->len; i++) {
        const X86Cpu *cpu = g_ptr_array_index(vm->cpus, i);

        if (long_mode) {
            append_prstatus64(out, cpu);
        } else {
            append_prstatus32(out, cpu);
        }
    }
    for (guint i = 0; i < vm->cpus->len; i++) {
        append_qemu(out, g_ptr_array_index(vm->cpus, i));
    }
    return out;
}
