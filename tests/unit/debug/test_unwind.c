/* Chains of calls through made-up ORC tables, frame pointers and bare stacks. */
#include "check_main.h"
#include "linux_image.h"
#include "unwind.h"

/* ---- tables ---- */

enum { NO_INFO, END, CALL, REGS, PARTIAL };             /* as Linux 6.4 numbers them */
enum { NONE, PREV_SP, DX, DI, BP, SP, R10, R13, BP_INDIRECT, SP_INDIRECT };

typedef struct OrcRow {
    uint32_t at;
    uint8_t type, sp_base;
    int16_t sp;
    uint8_t bp_base;
    int16_t bp;
} OrcRow;

static const OrcRow orc_rows[] = {
    { 0x1000, CALL, SP, 8, NONE, 0 },                   /* a function with a frame pointer */
    { 0x1001, CALL, SP, 16, PREV_SP, -16 },
    { 0x1004, CALL, BP, 16, PREV_SP, -16 },
    { 0x1100, CALL, SP, 0x30, NONE, 0 },                /* one without */
    { 0x1200, REGS, SP, 0, NONE, 0 },                   /* interrupt and system call entry */
    { 0x1400, PARTIAL, SP, 8, NONE, 0 },                /* an exception's, before it saves more */
    { 0x1500, END, NONE, 0, NONE, 0 },                  /* where a thread begins */
    { 0x1600, NO_INFO, NONE, 0, NONE, 0 },
    { 0x1700, CALL, SP_INDIRECT, 8, NONE, 0 },          /* runs on another stack */
    { 0x1800, CALL, R10, 0, NONE, 0 },
    { 0x1900, CALL, SP, 0, NONE, 0 },                   /* never gets anywhere */
    { 0x1a00, CALL, BP_INDIRECT, -8, NONE, 0 },
    { 0x2000, NO_INFO, NONE, 0, NONE, 0 },              /* the code's end */
};

static void put_orc(LinuxImage *image, bool typed)
{
    for (size_t i = 0; i < G_N_ELEMENTS(orc_rows); i++) {
        const OrcRow *row = &orc_rows[i];
        uint8_t *entry = image_at(image, PUT_ORC + 0x1000 + i * 6);
        unsigned old_type = row->type >= CALL ? row->type - CALL : row->type == END ? 4 : 0;

        put32(image_at(image, PUT_ORC + i * 4), row->at - (PUT_ORC + i * 4));
        put16(entry, row->sp);
        put16(entry + 2, row->bp);
        put16(entry + 4, row->sp_base | row->bp_base << 4 | (typed ? row->type : old_type) << 8);
    }
}

static const ImageSymbol kernel[] = {
    { "T_text", 0 },
    { "Tstart", 0x1000 },
    { "T_etext", 0x2000 },
    { "D__start_orc_unwind_ip", PUT_ORC },
    { "D__stop_orc_unwind_ip", PUT_ORC + sizeof(orc_rows) / sizeof(orc_rows[0]) * 4 },
    { "D__start_orc_unwind", PUT_ORC + 0x1000 },
    { "Dmodules", PUT_MODULES },
};

/* ---- stacks ---- */

/* A word at `at` of the kernel's (K) or the user's (U) stack; what it points to likewise. */
typedef enum Space { RAW, KERNEL, KSTACK, USER, USTACK } Space;
typedef struct StackRow { uint32_t at; Space space; uint64_t value; } StackRow;

static uint64_t place(const LinuxImage *image, Space space, uint64_t value)
{
    const uint64_t begin[] = {
        [KERNEL] = image->base, [KSTACK] = image->base + PUT_STACK,
        [USER] = USER_VIRT, [USTACK] = USER_VIRT + USER_STACK,
    };

    return begin[space] + value;
}

typedef struct Chain {
    const char *frames;                 /* how and where, "u": in user code */
    bool no_orc;
    bool user;                          /* the CPU is in user mode */
    uint64_t rip, sp, bp, r10;          /* in the image and its stack, or the user's */
    StackRow kstack[24], ustack[8];
} Chain;

/* pt_regs at `at`: bp, ip, cs and sp. */
#define PT_REGS(at_, bp_space_, bp_, ip_space_, ip_, cs_, sp_space_, sp_) \
    { (at_) + 32, bp_space_, bp_ }, { (at_) + 128, ip_space_, ip_ }, { (at_) + 136, RAW, cs_ }, \
    { (at_) + 152, sp_space_, sp_ }

static const Chain chains[] = {
    /* two calls, an interrupt of a function, its caller a system call, user code with frames */
    { .frames = "R1010 O1120 O1210 O1008 O1310 Ou100 Fu205", .rip = 0x1010, .sp = 0, .bp = 0x20,
      .kstack = { { 0x20, KSTACK, 0x500 }, { 0x28, KERNEL, 0x1120 }, { 0x58, KERNEL, 0x1210 },
                  PT_REGS(0x60, KSTACK, 0x300, KERNEL, 0x1008, 0x10, KSTACK, 0x2f0),
                  { 0x300, RAW, 7 }, { 0x308, KERNEL, 0x1310 },
                  PT_REGS(0x310, USTACK, 0x40, USER, 0x100, 0x33, USTACK, 0x10) },
      .ustack = { { 0x40, RAW, 0 }, { 0x48, USER, 0x205 } } },
    /* at a function's first instruction, and behind its push */
    { .frames = "R1000 O1120 O1510", .rip = 0x1000, .sp = 0x10,
      .kstack = { { 0x10, KERNEL, 0x1120 }, { 0x40, KERNEL, 0x1510 } } },
    { .frames = "R1001 O1120 O1510", .rip = 0x1001, .sp = 0x10,
      .kstack = { { 0x18, KERNEL, 0x1120 }, { 0x48, KERNEL, 0x1510 } } },
    /* an exception that has saved only what the CPU does */
    { .frames = "R1410 O1104 O1510", .rip = 0x1410, .sp = 0,
      .kstack = { { 8, KERNEL, 0x1104 }, { 16, RAW, 0x10 }, { 32, KSTACK, 0x100 },
                  { 0x128, KERNEL, 0x1510 } } },
    /* 32-bit user code */
    { .frames = "R1210 Ou100 Fu205", .rip = 0x1210, .sp = 0,
      .kstack = { PT_REGS(0, USTACK, 0x40, USER, 0x100, 0x23, USTACK, 0x10) },
      .ustack = { { 0x40, RAW, (USER_VIRT + 0x205) << 32 } } },
    /* other bases */
    { .frames = "R1710 O1104 O1510", .rip = 0x1710, .sp = 0,
      .kstack = { { 0, KSTACK, 0x200 }, { 0x200, KERNEL, 0x1104 }, { 0x230, KERNEL, 0x1510 } } },
    { .frames = "R1810 O1104 O1510", .rip = 0x1810, .sp = 0, .r10 = 0x100,
      .kstack = { { 0xf8, KERNEL, 0x1104 }, { 0x128, KERNEL, 0x1510 } } },
    { .frames = "R1a10 O1104 O1510", .rip = 0x1a10, .sp = 0, .bp = 0x48,
      .kstack = { { 0x40, KSTACK, 0x100 }, { 0xf8, KERNEL, 0x1104 }, { 0x128, KERNEL, 0x1510 } } },
    /* a module's function */
    { .frames = "R4010 O1104 O1510", .rip = 0x4010, .sp = 0,
      .kstack = { { 0, KERNEL, 0x1104 }, { 0x30, KERNEL, 0x1510 } } },
    /* no return address where the tables say it is; the frame pointer is behind the push */
    { .frames = "R1108 G111d O1010 O1510", .rip = 0x1108, .sp = 0,
      .kstack = { { 0x28, KSTACK, 0x300 }, { 0x40, KSTACK, 0x90 }, { 0x48, KERNEL, 0x111d },
                  { 0x78, KERNEL, 0x1010 }, { 0x98, KERNEL, 0x1510 } } },
    /* the tables know nothing: a guess, and they go on from it */
    { .frames = "R1610 G111d O1510", .rip = 0x1610, .sp = 0,
      .kstack = { { 8, KERNEL, 0x1110 }, { 0x10, USER, 0x205 }, { 0x40, KERNEL, 0x111d },
                  { 0x70, KERNEL, 0x1510 } } },
    { .frames = "R1610", .rip = 0x1610, .sp = 0 },
    { .frames = "R1610", .rip = 0x1610, .sp = 0x1000000 },         /* no stack */
    { .frames = "R1510", .rip = 0x1510, .sp = 0 },
    /* a kernel without tables: frame pointers to the end of the chain */
    { .frames = "R1610 F111d F111d", .no_orc = true, .rip = 0x1610, .sp = 0, .bp = 0x20,
      .kstack = { { 0x20, KSTACK, 0x60 }, { 0x28, KERNEL, 0x111d }, { 0x60, RAW, 0 },
                  { 0x68, KERNEL, 0x111d }, { 0x70, KERNEL, 0x111d } } },
    { .frames = "R1000 F111d", .no_orc = true, .rip = 0x1000, .sp = 0x10,      /* by its symbol */
      .kstack = { { 0x10, KERNEL, 0x111d } } },
    /* user code: push %rbp, mov %rsp,%rbp, ret; a call through a register; a wild pointer */
    { .frames = "Ru300 Fu205", .user = true, .rip = 0x300, .sp = 0,
      .ustack = { { 0, USER, 0x205 } } },
    { .frames = "Ru301 Fu205 Fu223", .user = true, .rip = 0x301, .sp = 0,
      .ustack = { { 0, USTACK, 0x20 }, { 8, USER, 0x205 }, { 0x20, RAW, 0 },
                  { 0x28, USER, 0x223 } } },
    { .frames = "Ru304 Fu205", .user = true, .rip = 0x304, .sp = 0,
      .ustack = { { 0, USER, 0x205 } } },
    { .frames = "Ru700000 Fu205", .user = true, .rip = 0x700000, .sp = 0,
      .ustack = { { 0, USER, 0x205 } } },
    { .frames = "Ru100 Gu205", .user = true, .rip = 0x100, .sp = 0, .bp = 1,
      .ustack = { { 0, KERNEL, 0x111d }, { 8, USER, 0x206 }, { 0x10, USER, 0x205 } } },
    /* a frame that points at itself */
    { .frames = "Ru100 Gu205", .user = true, .rip = 0x100, .sp = 0, .bp = 0x10,
      .ustack = { { 0x10, USTACK, 0x10 }, { 0x18, USER, 0x205 } } },
};

static void put_rows(LinuxImage *image, uint8_t *stack, const StackRow *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (rows[i].space != RAW || rows[i].value != 0) {       /* memory is zero as it is */
            put64(stack + rows[i].at, place(image, rows[i].space, rows[i].value));
        }
    }
}

static LinuxImage *unwind_image(const Chain *c, bool typed)
{
    LinuxImage *image = image_new(0);
    unsigned names = c->no_orc ? 3 : G_N_ELEMENTS(kernel);
    X86Cpu *cpu = image->cpu;

    image_put_kallsyms(image, kernel, names, typed ? LAYOUT_6_4 : LAYOUT_6_1, true);
    put_orc(image, typed);
    image_put_module(image, 0x150, typed);
    memset(image_at(image, 0x1000), 0x90, 0x1000);
    memcpy(image_at(image, 0x1118), "\xe8\x00\x00\x00\x00", 5);         /* calls what follows */
    memset(user_at(image, 0), 0x90, 0x1000);
    memcpy(user_at(image, 0x200), "\xe8\xfb\x00\x00\x00", 5);           /* call 300 */
    memcpy(user_at(image, 0x220), "\x41\xff\xd4", 3);                   /* call *%r12 */
    memcpy(user_at(image, 0x300), "\x55\x48\x89\xe5\xc3", 5);
    put_rows(image, image_at(image, PUT_STACK), c->kstack, G_N_ELEMENTS(c->kstack));
    put_rows(image, user_at(image, USER_STACK), c->ustack, G_N_ELEMENTS(c->ustack));
    cpu->rip = place(image, c->user ? USER : KERNEL, c->rip);
    cpu->gpr[R_RSP] = place(image, c->user ? USTACK : KSTACK, c->sp);
    cpu->gpr[R_RBP] = place(image, c->user ? USTACK : KSTACK, c->bp);
    cpu->gpr[10] = place(image, KSTACK, c->r10);
    cpu->seg[SEG_CS].selector = c->user ? 0x33 : 0x10;
    cpu->seg[SEG_CS].attr |= c->user ? SEG_ATTR_DPL : 0;
    cpu->seg[SEG_SS].attr |= c->user ? SEG_ATTR_DPL : 0;
    x86_update_mode(cpu);
    return image;
}

static char *frames_text(LinuxImage *image)
{
    static const char letters[] = { [UNWIND_REGISTERS] = 'R', [UNWIND_ORC] = 'O',
                                    [UNWIND_FRAME_POINTER] = 'F', [UNWIND_GUESS] = 'G' };
    UnwindFrame frames[UNWIND_MAX];
    size_t n = unwind(&image->bare->vm, image->cpu, frames, UNWIND_MAX);
    GString *out = g_string_new(NULL);

    for (size_t i = 0; i < n; i++) {
        bool user = frames[i].rip < image->base;

        g_string_append_printf(out, "%s%c%s%lx", i > 0 ? " " : "", letters[frames[i].how],
                               user ? "u" : "", frames[i].rip - (user ? USER_VIRT : image->base));
    }
    return g_string_free(out, FALSE);
}

START_TEST(chain_row)
{
    for (int typed = 0; typed < 2; typed++) {
        LinuxImage *image = unwind_image(&chains[_i], typed);
        g_autofree char *text = frames_text(image);

        ck_assert_str_eq(text, chains[_i].frames);
        vm_symbols_load(&image->bare->vm, NULL, NULL);
        image_free(image);
    }
}
END_TEST

START_TEST(stack_pointers_are_told)
{
    LinuxImage *image = unwind_image(&chains[0], true);
    uint64_t stack = image->base + PUT_STACK;
    UnwindFrame frames[UNWIND_MAX];

    ck_assert_uint_eq(unwind(&image->bare->vm, image->cpu, frames, UNWIND_MAX), 7);
    ck_assert_uint_eq(frames[0].cfa, stack + 0x30);
    ck_assert_uint_eq(frames[2].cfa, stack + 0x2f0);
    ck_assert_uint_eq(frames[4].cfa, USER_VIRT + USER_STACK + 0x10);
    ck_assert_uint_eq(frames[5].cfa, USER_VIRT + USER_STACK + 0x50);
    ck_assert_uint_eq(frames[6].cfa, 0);
    ck_assert_uint_eq(unwind(&image->bare->vm, image->cpu, frames, 3), 3);
    image_free(image);
}
END_TEST

START_TEST(circles_end)
{
    static const Chain circle = { .rip = 0x1910, .sp = 8, .kstack = { { 0, KERNEL, 0x1910 } } };
    LinuxImage *image = unwind_image(&circle, true);
    UnwindFrame frames[UNWIND_MAX];

    ck_assert_uint_eq(unwind(&image->bare->vm, image->cpu, frames, UNWIND_MAX), UNWIND_MAX);
    image_free(image);
}
END_TEST

/* The tables may hold anything. */
START_TEST(tables_may_lie)
{
    LinuxImage *image = unwind_image(&chains[_i], true);
    UnwindFrame frames[UNWIND_MAX];
    GRand *rand = g_rand_new_with_seed(_i);

    for (int i = 0; i < 2000; i++) {
        *image_at(image, PUT_ORC + g_rand_int_range(rand, 0, 0x1080)) = g_rand_int(rand);
        ck_assert_uint_ge(unwind(&image->bare->vm, image->cpu, frames, UNWIND_MAX), 1);
    }
    g_rand_free(rand);
    image_free(image);
}
END_TEST

START_TEST(real_mode_is_one_frame)
{
    LinuxImage *image = image_new(0);
    UnwindFrame frames[UNWIND_MAX];

    x86_cpu_reset(image->cpu);
    ck_assert_uint_eq(unwind(&image->bare->vm, image->cpu, frames, UNWIND_MAX), 1);
    ck_assert_uint_eq(frames[0].rip, 0xfffffff0);
    image_free(image);
}
END_TEST

CHECK_MAIN("unwind", CASES(chain_row, chains), CASE(stack_pointers_are_told), CASE(circles_end),
           TIMES(tables_may_lie, 4), CASE(real_mode_is_one_frame))
