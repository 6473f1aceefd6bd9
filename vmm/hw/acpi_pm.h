/*
 * ACPI fixed hardware: PM1a event and control blocks, the PM timer, a general purpose event block.
 * ACPI Specification 2.0, chapter 4.7.  Part of a chipset device, which places the regions and
 * saves the fields.  Machine lock.
 */
#pragma once

#include "clock.h"
#include "irq.h"
#include "memmap.h"
#include "vm_core.h"

#define ACPI_TIMER_HZ 3579545

#define PM1_STS_TMR     0x0001
#define PM1_STS_GBL     0x0020
#define PM1_STS_PWRBTN  0x0100
#define PM1_STS_RTC     0x0400
#define PM1_STS_WAK     0x8000
#define PM1_CNT_SCI_EN  0x0001

#define ACPI_GPE_BYTES  2               /* status and enable bytes each */

typedef struct AcpiPm {
    /* wiring */
    Vm *vm;
    IrqLine sci;
    MemRegion evt, cnt, tmr, gpe;
    VmTimer overflow;                   /* bit 23 of the PM timer changes */
    uint8_t s4_type;                    /* SLP_TYP that means suspend to disk */
    bool no_s3, no_s4;
    /* guest-visible state */
    uint16_t pm1_sts, pm1_en, pm1_cnt;
    int64_t overflow_ns;                /* when TMR_STS is next set; VM_TIMER_OFF until asked for */
    uint8_t gpe_sts[ACPI_GPE_BYTES], gpe_en[ACPI_GPE_BYTES];
} AcpiPm;

extern const StateDesc acpi_pm_state;

void acpi_pm_init(AcpiPm *pm, Vm *vm, Object *owner, IrqLine sci);
void acpi_pm_finish(AcpiPm *pm);
void acpi_pm_reset(AcpiPm *pm);
void acpi_pm_raise_gpe(AcpiPm *pm, unsigned n);     /* general purpose event n happened */
/* SCI_EN, as firmware asks for through the SMI command port. */
void acpi_pm_set_acpi_mode(AcpiPm *pm, bool on);
