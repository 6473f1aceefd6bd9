/*
 * The pc board's own data, shared by the files that build it: pc.c (memory, CPUs, parts and
 * wiring), pc_firmware.c (BIOS image, fw_cfg, CMOS), pc_direct.c (what firmware does, for direct
 * boot).
 */
#pragma once

#include "accel.h"
#include "acpi.h"
#include "boot.h"
#include "pc_addresses.h"
#include "pci.h"
#include "smbios.h"
#include "machine.h"

#define PC_GSIS     24
#define PC_ISA_IRQS 16

typedef struct PcBoard {
    Vm *vm;
    /* parts; NULL: not on this machine */
    Device *host, *piix3, *ide, *pm, *rtc, *pic[2], *pit, *ioapic, *hpet, *kbd;
    PciBus *pci;
    MemRegion below_4g, above_4g, rom, bios, isa_bios, port80, port_f0;
    bool has_bios;
    /* interrupts: GSI n fans out to PIC input n and IOAPIC pin n */
    IrqchipKind irqchip;
    IrqLine pic_in[PC_ISA_IRQS], ioapic_in[PC_GSIS];
    IrqLine gsi[PC_GSIS];
    /* direct boot */
    BootPlan *plan;
    AcpiTables *acpi;
    uint64_t acpi_addr;
    SmbiosTables *smbios;
    unsigned boots;                     /* resets so far, as far as -boot once= counts */
    bool suspended;                     /* the next reset is a wake-up from suspend to RAM */
} PcBoard;

static inline PcBoard *pc_board(Vm *vm)
{
    return vm->board_data;
}

extern const Board pc_board_7_2;

/* pc_wire.c */
bool pc_make_parts(PcBoard *pc, GError **error);

/* pc_firmware.c */
bool pc_load_bios(PcBoard *pc, GError **error);
bool pc_fill_fw_cfg(PcBoard *pc, GError **error);
void pc_firmware_e820(const PcBoard *pc, E820Map *map);     /* what firmware is told */
void pc_fill_cmos(PcBoard *pc);
AcpiTables *pc_make_acpi(PcBoard *pc);

/* pc_boot.c */
#define PC_BOOT_ORDER "cad"
bool pc_set_boot_order(Vm *vm, const char *order, GError **error);
bool pc_fill_boot(PcBoard *pc, GError **error);

/* pc_direct.c */
bool pc_prepare_direct(PcBoard *pc, GError **error);
void pc_direct_e820(const PcBoard *pc, E820Map *map);       /* what a kernel is told */
