/*
 * What firmware leaves behind, for a kernel that is booted without any: PCI resources, memory
 * types, interrupt controllers and timers, the screen in text mode, BIOS data area, ACPI and SMBIOS
 * tables, the memory map.
 */
#include <string.h>

#include "apic.h"
#include "cpuid.h"
#include "ide.h"
#include "pc.h"
#include "piix3.h"
#include "piix4_pm.h"
#include "rhea_error.h"
#include "sizes.h"
#include "vga_text_mode.h"
#include "x86_cpu.h"

#define BDA             0x400
#define FSEG            0xf0000
#define SMBIOS_ANCHOR   FSEG
#define SMBIOS_TABLES   (FSEG + 0x40)
#define SMBIOS_MAX      0xe000
#define RSDP_ADDR       0xff000
#define FACS_WAKING_VECTOR 12

/* ---- chipset ---- */

/*
 * Ports as firmware leaves them: 8259s at vectors 8 and 70h with only the cascade open, 8254
 * channel 0 at 18.2 Hz, RTC at 32768 Hz without interrupts, PCI interrupts 10 and 11 level
 * triggered, the keyboard controller translating to scan code set 1 with the mouse port closed.
 */
static const struct { uint16_t port; uint8_t value; } port_writes[] = {
    { 0x20, 0x11 }, { 0x21, 0x08 }, { 0x21, 0x04 }, { 0x21, 0x01 }, { 0x21, 0xfb },
    { 0xa0, 0x11 }, { 0xa1, 0x70 }, { 0xa1, 0x02 }, { 0xa1, 0x01 }, { 0xa1, 0xff },
    { 0x4d0, 0x00 }, { 0x4d1, 0x0c },
    { 0x43, 0x34 }, { 0x40, 0x00 }, { 0x40, 0x00 },
    { 0x70, 0x0a }, { 0x71, 0x26 }, { 0x70, 0x0b }, { 0x71, 0x02 },
    { 0x64, 0x60 }, { 0x60, 0x65 },
};

static const uint8_t pirq_irqs[4] = { 10, 10, 11, 11 };

static uint8_t irq_of_input(int input)
{
    return pirq_irqs[input];
}

static void setup_ports(PcBoard *pc)
{
    for (size_t i = 0; i < G_N_ELEMENTS(port_writes); i++) {
        mem_store(&pc->vm->io, port_writes[i].port, port_writes[i].value, 1);
    }
}

/* Without it a kernel that knows no APIC would hear no interrupt. */
static void setup_lapic(PcBoard *pc)
{
    X86Cpu *first = g_ptr_array_index(pc->vm->cpus, 0);

    if (pc->irqchip == IRQCHIP_USER) {
        apic_virtual_wire(first->apic);
    }
}

static void setup_pci(PcBoard *pc)
{
    PciWindows windows = {
        .mem_base = MAX(pc->vm->ram_below_4g, 0xc0000000u), .mem_last = PC_PCI_HOLE_LAST,
        .io_base = 0xc000, .io_last = 0xffff,
        .mem64_base = (4 * GIB + pc->vm->ram_above_4g + GIB - 1) & ~(GIB - 1),
    };

    /* PAM0 to PAM6: RAM everywhere below 1 MiB. */
    pci_config_write(pc->pci, 0, 0, 0x58, 0x33333000u, 4);
    pci_config_write(pc->pci, 0, 0, 0x5c, 0x33333333u, 4);
    for (int input = 0; input < 4; input++) {
        piix3_set_route(pc->piix3, input, pirq_irqs[input]);
    }
    piix4_pm_firmware_init(pc->pm, PC_PM_BASE, PC_SMBUS_BASE);
    piix3_ide_firmware_init(pc->ide);
    pci_assign_resources(pc->pci, &windows, irq_of_input);
    /* The PM function's pin is wired to interrupt 9 whatever the router says. */
    ((PciDevice *)pc->pm)->config[PCI_INTERRUPT_LINE] = 9;
}

/* ---- memory types (SDM 3A 11.11) ---- */

#define MTRR_TYPE_WB    0x06
#define MTRR_WB_8       UINT64_C(0x0606060606060606)
#define MTRR_DEF_ENABLE 0xc00           /* variable and fixed ranges on */
#define MTRR_VALID      0x800

static void setup_mtrrs(PcBoard *pc, X86Cpu *cpu)
{
    unsigned phys_bits = cpu->model->phys_bits ? cpu->model->phys_bits : 40;
    uint64_t base = pc->vm->ram_below_4g > 2 * GIB ? 3 * GIB : 2 * GIB;
    uint64_t mask = ((UINT64_C(1) << phys_bits) - 1) & ~(4 * GIB - base - 1);

    for (size_t i = 0; i < G_N_ELEMENTS(cpu->mtrr_fixed); i++) {
        /* Of the 11 registers the third covers a0000 to bffff: uncached. */
        cpu->mtrr_fixed[i] = i == 2 ? 0 : MTRR_WB_8;
    }
    cpu->mtrr_var[0][0] = base;         /* type 0: uncached */
    cpu->mtrr_var[0][1] = mask | MTRR_VALID;
    cpu->mtrr_deftype = MTRR_DEF_ENABLE | MTRR_TYPE_WB;
    cpu->state_changed = true;
}

/* ---- tables ---- */

/* The first MiB is one block: no node is smaller. */
static void *low_memory(PcBoard *pc, uint64_t addr)
{
    return mem_region_ram_at(pc->vm->ram_region, addr, &addr)->host + addr;
}

static void write_low(PcBoard *pc, uint64_t addr, const void *data, size_t len)
{
    memcpy(low_memory(pc, addr), data, len);
    ram_mark_dirty(mem_region_ram_at(pc->vm->ram_region, addr, &addr), addr, len);
}

/* The video BIOS's part of the BIOS data area. */
static void write_video_bda(PcBoard *pc)
{
    static const struct { uint8_t offset, size; uint16_t value; } fields[] = {
        { 0x10, 2, 0x0020 },                /* equipment: starts with 80 columns in color */
        { 0x49, 1, VGA_TEXT_MODE }, { 0x4a, 2, VGA_TEXT_COLUMNS },
        { 0x4c, 2, 0x1000 },                /* bytes of a page */
        { 0x60, 2, 0x0607 },                /* rows the cursor has, of a CGA's 8 */
        { 0x63, 2, 0x03d4 },                /* port of the CRT controller */
        { 0x84, 1, VGA_TEXT_ROWS - 1 }, { 0x85, 2, VGA_TEXT_POINTS },
        { 0x87, 1, 0x60 }, { 0x88, 1, 0xf9 }, { 0x89, 1, 0x51 },    /* VGA, 256 KiB, color */
    };

    for (size_t i = 0; i < G_N_ELEMENTS(fields); i++) {
        write_low(pc, BDA + fields[i].offset, &fields[i].value, fields[i].size);
    }
}

/* BIOS data area: serial ports, EBDA segment, equipment, conventional memory. */
static void write_bda(PcBoard *pc)
{
    static const uint16_t com_base[4] = { 0x3f8, 0x2f8, 0x3e8, 0x2e8 };
    uint16_t ebda = PC_EBDA >> 4, kib = PC_EBDA / KIB;
    uint8_t ebda_kib = 1;

    write_low(pc, BDA, com_base, sizeof(com_base));
    write_low(pc, BDA + 0x0e, &ebda, sizeof(ebda));
    write_low(pc, BDA + 0x13, &kib, sizeof(kib));
    write_low(pc, PC_EBDA, &ebda_kib, 1);
    if (vga_is_present(pc->vm)) {
        write_video_bda(pc);
    }
}

static void write_tables(PcBoard *pc)
{
    write_low(pc, SMBIOS_ANCHOR, pc->smbios->anchor, SMBIOS_ANCHOR_SIZE);
    write_low(pc, SMBIOS_TABLES, pc->smbios->structures->data, pc->smbios->structures->len);
    if (pc->acpi) {
        const GByteArray *tables = pc->acpi->blobs[ACPI_TABLES];
        const GByteArray *rsdp = pc->acpi->blobs[ACPI_RSDP];

        write_low(pc, pc->acpi_addr, tables->data, tables->len);
        write_low(pc, RSDP_ADDR, rsdp->data, rsdp->len);
    }
}

/* ---- reset ---- */

/*
 * Wake-up from suspend to RAM (ACPI 2.0, 15.1.3): the first CPU goes on in real mode at the FACS's
 * waking vector.  Memory is as the system left it.
 */
static bool resume_from_suspend(PcBoard *pc)
{
    uint32_t vector = 0;
    X86Cpu *cpu = g_ptr_array_index(pc->vm->cpus, 0);

    if (pc->acpi) {
        memcpy(&vector, low_memory(pc, pc->acpi_addr + pc->acpi->facs_offset + FACS_WAKING_VECTOR),
               sizeof(vector));
    }
    if (!vector || vector >= MIB) {
        return false;
    }
    x86_load_real_seg(cpu, SEG_CS, vector >> 4);
    cpu->rip = vector & 0xf;
    x86_update_mode(cpu);
    cpu->state_changed = true;
    return true;
}

static void direct_reset(void *opaque)
{
    PcBoard *pc = opaque;
    bool resuming = pc->suspended;
    g_autoptr(GError) error = NULL;

    pc->suspended = false;
    setup_pci(pc);
    setup_ports(pc);
    setup_lapic(pc);
    if (vga_is_present(pc->vm)) {
        vga_set_text_mode(pc->vm);
    }
    for (guint i = 0; i < pc->vm->cpus->len; i++) {
        setup_mtrrs(pc, g_ptr_array_index(pc->vm->cpus, i));
    }
    if (resuming && resume_from_suspend(pc)) {
        return;
    }
    write_bda(pc);
    write_tables(pc);
    if (!boot_plan_load(pc->plan, &error)) {
        g_prefix_error(&error, "cannot boot again: ");
        report_error(error);
        vm_request_stop(pc->vm, RUN_STATE_INTERNAL_ERROR);
        return;
    }
    boot_plan_enter(pc->plan);
}

/* ---- preparation ---- */

static bool place_acpi(PcBoard *pc, GError **error)
{
    if (!pc->vm->config.acpi) {
        pc->acpi_addr = pc->vm->ram_below_4g;
        return true;
    }
    pc->acpi = pc_make_acpi(pc);
    uint64_t size = (pc->acpi->blobs[ACPI_TABLES]->len + 0xfff) & ~UINT64_C(0xfff);
    pc->acpi_addr = (pc->vm->ram_below_4g & ~UINT64_C(0xfff)) - size;
    if (pc->acpi_addr < 2 * MIB - size) {
        set_error(error, "not enough memory for the ACPI tables");
        return false;
    }
    acpi_tables_place(pc->acpi, (const uint64_t[ACPI_BLOBS]){
        [ACPI_TABLES] = pc->acpi_addr, [ACPI_RSDP] = RSDP_ADDR,
    });
    return true;
}

void pc_direct_e820(const PcBoard *pc, E820Map *map)
{
    const Vm *vm = pc->vm;

    e820_add(map, 0, PC_EBDA, E820_RAM);
    e820_add(map, PC_EBDA, 0xa0000, E820_RESERVED);
    e820_add(map, FSEG, PC_BIOS_END, E820_RESERVED);
    e820_add(map, BOOT_HIGH, pc->acpi_addr, E820_RAM);
    e820_add(map, pc->acpi_addr, vm->ram_below_4g, E820_RESERVED);
    e820_add(map, vm->accel->reserved.addr, vm->accel->reserved.end, E820_RESERVED);
    e820_add(map, 4 * GIB, 4 * GIB + vm->ram_above_4g, E820_RAM);
}

bool pc_prepare_direct(PcBoard *pc, GError **error)
{
    E820Map map = { 0 };

    if (!place_acpi(pc, error)) {
        return false;
    }
    pc->smbios = smbios_new(pc->vm, true, error);
    if (pc->smbios == NULL) {
        return false;
    }
    if (pc->smbios->structures->len > SMBIOS_MAX) {
        set_error(error, "the SMBIOS tables do not fit below 1 MiB: they have %u bytes, %u fit",
                  pc->smbios->structures->len, (unsigned)SMBIOS_MAX);
        return false;
    }
    smbios_place(pc->smbios, SMBIOS_TABLES);
    pc_direct_e820(pc, &map);
    pc->plan = boot_plan_new(pc->vm, &map, pc->acpi ? RSDP_ADDR : 0, error);
    if (!pc->plan) {
        return false;
    }
    vm_add_reset(pc->vm, direct_reset, pc);
    return true;
}
