#include "bare_cpu.h"
#include "check_main.h"

static const char after_reset[] =
    "\nCPU#0\n"
    "EAX=00000000 EBX=00000000 ECX=00000000 EDX=000206a1\n"
    "ESI=00000000 EDI=00000000 EBP=00000000 ESP=00000000\n"
    "EIP=0000fff0 EFL=00000002 [-------] CPL=0 II=0 A20=1 SMM=0 HLT=0\n"
    "ES =0000 00000000 0000ffff 00009300\n"
    "CS =f000 ffff0000 0000ffff 00009b00\n"
    "SS =0000 00000000 0000ffff 00009300\n"
    "DS =0000 00000000 0000ffff 00009300\n"
    "FS =0000 00000000 0000ffff 00009300\n"
    "GS =0000 00000000 0000ffff 00009300\n"
    "LDT=0000 00000000 0000ffff 00008200\n"
    "TR =0000 00000000 0000ffff 00008b00\n"
    "GDT=     00000000 0000ffff\n"
    "IDT=     00000000 0000ffff\n"
    "CR0=60000010 CR2=00000000 CR3=00000000 CR4=00000000\n"
    "DR0=0000000000000000 DR1=0000000000000000 DR2=0000000000000000 DR3=0000000000000000 \n"
    "DR6=00000000ffff0ff0 DR7=0000000000000400\n"
    "EFER=0000000000000000\n"
    "FCW=037f FSW=0000 [ST=0] FTW=00 MXCSR=00001f80\n"
    "FPR0=0000000000000000 0000 FPR1=0000000000000000 0000\n"
    "FPR2=0000000000000000 0000 FPR3=0000000000000000 0000\n"
    "FPR4=0000000000000000 0000 FPR5=0000000000000000 0000\n"
    "FPR6=0000000000000000 0000 FPR7=0000000000000000 0000\n"
    "XMM00=0000000000000000 0000000000000000 XMM01=0000000000000000 0000000000000000\n"
    "XMM02=0000000000000000 0000000000000000 XMM03=0000000000000000 0000000000000000\n"
    "XMM04=0000000000000000 0000000000000000 XMM05=0000000000000000 0000000000000000\n"
    "XMM06=0000000000000000 0000000000000000 XMM07=0000000000000000 0000000000000000\n";

START_TEST(reset_state_to_the_character)
{
    BareCpu *bare = bare_cpu_new("SandyBridge,check=off", 1, 1, 0);
    g_autoptr(GString) text = g_string_new(NULL);

    x86_print_registers(bare->cpu, text);
    ck_assert_str_eq(text->str, after_reset);
    bare_cpu_free(bare);
}
END_TEST

/* Lines of a Linux guest in its idle loop, as QEMU 7.2 shows them. */
static const char *const linux_lines[] = {
    "RAX=ffffffff81a178a0 RBX=0000000000000000 RCX=0000000000000000 RDX=4000000000000000\n",
    "R12=0000000000000000 R13=0000000000000000 R14=0000000000000000 R15=0000000000014790\n",
    "RIP=ffffffff81a17a0b RFL=00000206 [-----P-] CPL=0 II=0 A20=1 SMM=0 HLT=1\n",
    "DS =0000 0000000000000000 00000000 00000000\n",
    "CS =0010 0000000000000000 ffffffff 00af9b00 DPL=0 CS64 [-RA]\n",
    "SS =0018 0000000000000000 ffffffff 00cf9300 DPL=0 DS   [-WA]\n",
    "GS =0000 ffff88807da00000 00000000 00000000\n",
    "LDT=0000 0000000000000000 00000000 00008200 DPL=0 LDT\n",
    "TR =0040 fffffe0000003000 00004087 00008900 DPL=0 TSS64-avl\n",
    "GDT=     fffffe0000001000 0000007f\n",
    "CR0=80050033 CR2=00000000005794a9 CR3=00000000054fe000 CR4=001506b0\n",
    "EFER=0000000000000d01\n",
    "YMM01=0000000000000000 0000000000000000 0000000000000000 408f400000000000\n",
};

static void enter_linux(X86Cpu *cpu)
{
    cpu->gpr[R_RAX] = 0xffffffff81a178a0;
    cpu->gpr[R_RDX] = 0x4000000000000000;
    cpu->gpr[R_R15] = 0x14790;
    cpu->rip = 0xffffffff81a17a0b;
    cpu->rflags = 0x206;
    cpu->halted = true;
    for (unsigned i = 0; i < SEG_COUNT; i++) {
        cpu->seg[i] = (X86Seg){ 0 };
    }
    cpu->seg[SEG_CS] = (X86Seg){ .selector = 0x10, .attr = 0xa09b, .limit = UINT32_MAX };
    cpu->seg[SEG_SS] = (X86Seg){ .selector = 0x18, .attr = 0xc093, .limit = UINT32_MAX };
    cpu->seg[SEG_GS].base = 0xffff88807da00000;
    cpu->ldt = (X86Seg){ .attr = 0x82 };
    cpu->tr = (X86Seg){ .selector = 0x40, .attr = 0x89, .limit = 0x4087,
                        .base = 0xfffffe0000003000 };
    cpu->gdt = (X86Table){ 0xfffffe0000001000, 0x7f };
    cpu->cr0 = 0x80050033;
    cpu->cr2 = 0x5794a9;
    cpu->cr3 = 0x54fe000;
    cpu->cr4 = 0x1506b0;
    cpu->efer = 0xd01;
    cpu->xcr0 = 7;
    cpu->fpu.v[1].u64[0] = 0x408f400000000000;
    x86_update_mode(cpu);
}

START_TEST(long_mode_line)
{
    BareCpu *bare = bare_cpu_new("qemu64,check=off", 1, 1, 0);
    g_autoptr(GString) text = g_string_new(NULL);

    enter_linux(bare->cpu);
    x86_print_registers(bare->cpu, text);
    ck_assert_msg(strstr(text->str, linux_lines[_i]) != NULL, "no line %s in %s", linux_lines[_i],
                  text->str);
    bare_cpu_free(bare);
}
END_TEST

CHECK_MAIN("registers", CASE(reset_state_to_the_character), CASES(long_mode_line, linux_lines))
