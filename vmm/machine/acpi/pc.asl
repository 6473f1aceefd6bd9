/*
 * What never changes about the pc board: its PCI root, interrupt links, ISA devices and soft-off.
 *
 * The values of the names that come first are filled in at run time (acpi.c); the ones written here only
 * give them their width.  Revision 2 makes integers 64 bits wide, which the upper PCI window needs.
 */
#define PRT_ROW(Slot, A, B, C, D) \
    Package (4) { Slot, 0, A, 0 }, Package (4) { Slot, 1, B, 0 }, \
    Package (4) { Slot, 2, C, 0 }, Package (4) { Slot, 3, D, 0 }

DefinitionBlock ("pc.aml", "DSDT", 2, "RHEA  ", "PC      ", 1)
{
    Name (P32S, 0xe0000000)        /* 32-bit PCI window: first and last address */
    Name (P32E, 0xfebfffff)
    Name (P64S, 0x11223344)         /* 64-bit PCI window in MiB: start, and size (0: none) */
    Name (P64L, 0x11223344)
    Name (COMS, 0x5a)              /* bit n: serial port n + 1 is there */
    Name (HPTE, 0x5a)              /* the HPET is there */
    Name (PVPP, 0x11223344)         /* port of pvpanic; 0: not there */
    Name (KBDE, 0x5a)              /* the keyboard controller is there */

    /* Sleep type 0 is soft off (PIIX4 PM1 control). */
    Name (\_S5, Package (4) { 0, 0, 0, 0 })

    Scope (\_SB)
    {
        Device (PCI0)
        {
            Name (_HID, EisaId ("PNP0A03"))
            Name (_UID, 0)

            Name (RES, ResourceTemplate ()
            {
                WordBusNumber (ResourceProducer, MinFixed, MaxFixed, PosDecode,
                    0, 0, 0xff, 0, 0x100)
                IO (Decode16, 0xcf8, 0xcf8, 1, 8)
                WordIO (ResourceProducer, MinFixed, MaxFixed, PosDecode, EntireRange,
                    0, 0, 0xcf7, 0, 0xcf8)
                WordIO (ResourceProducer, MinFixed, MaxFixed, PosDecode, EntireRange,
                    0, 0xd00, 0xffff, 0, 0xf300)
                DWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed, Cacheable, ReadWrite,
                    0, 0xa0000, 0xbffff, 0, 0x20000)
                DWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed, NonCacheable,
                    ReadWrite, 0, 0xe0000000, 0xfebfffff, 0, 0x1ec00000, , , PW32)
            })
            Name (RE64, ResourceTemplate ()
            {
                QWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed, Cacheable, ReadWrite,
                    0, 0x100000000, 0x17fffffff, 0, 0x80000000, , , PW64)
            })
            Method (_CRS, 0, Serialized)
            {
                CreateDWordField (RES, ^PW32._MIN, MIN)
                CreateDWordField (RES, ^PW32._MAX, MAX)
                CreateDWordField (RES, ^PW32._LEN, LEN)
                MIN = \P32S
                MAX = \P32E
                LEN = MAX - MIN + 1
                If (\P64L == 0)
                {
                    Return (RES)
                }
                CreateQWordField (RE64, ^PW64._MIN, MIN6)
                CreateQWordField (RE64, ^PW64._MAX, MAX6)
                CreateQWordField (RE64, ^PW64._LEN, LEN6)
                MIN6 = \P64S << 20
                LEN6 = \P64L << 20
                MAX6 = MIN6 + LEN6 - 1
                Return (ConcatenateResTemplate (RES, RE64))
            }

            /* Slot n's pin m leads to PIRQ (n + m - 1) mod 4; the PM function has the SCI. */
            Name (_PRT, Package ()
            {
                PRT_ROW (0x0000ffff, LNKD, LNKA, LNKB, LNKC),
                PRT_ROW (0x0001ffff, LNKS, LNKB, LNKC, LNKD),
                PRT_ROW (0x0002ffff, LNKB, LNKC, LNKD, LNKA),
                PRT_ROW (0x0003ffff, LNKC, LNKD, LNKA, LNKB),
                PRT_ROW (0x0004ffff, LNKD, LNKA, LNKB, LNKC),
                PRT_ROW (0x0005ffff, LNKA, LNKB, LNKC, LNKD),
                PRT_ROW (0x0006ffff, LNKB, LNKC, LNKD, LNKA),
                PRT_ROW (0x0007ffff, LNKC, LNKD, LNKA, LNKB),
                PRT_ROW (0x0008ffff, LNKD, LNKA, LNKB, LNKC),
                PRT_ROW (0x0009ffff, LNKA, LNKB, LNKC, LNKD),
                PRT_ROW (0x000affff, LNKB, LNKC, LNKD, LNKA),
                PRT_ROW (0x000bffff, LNKC, LNKD, LNKA, LNKB),
                PRT_ROW (0x000cffff, LNKD, LNKA, LNKB, LNKC),
                PRT_ROW (0x000dffff, LNKA, LNKB, LNKC, LNKD),
                PRT_ROW (0x000effff, LNKB, LNKC, LNKD, LNKA),
                PRT_ROW (0x000fffff, LNKC, LNKD, LNKA, LNKB),
                PRT_ROW (0x0010ffff, LNKD, LNKA, LNKB, LNKC),
                PRT_ROW (0x0011ffff, LNKA, LNKB, LNKC, LNKD),
                PRT_ROW (0x0012ffff, LNKB, LNKC, LNKD, LNKA),
                PRT_ROW (0x0013ffff, LNKC, LNKD, LNKA, LNKB),
                PRT_ROW (0x0014ffff, LNKD, LNKA, LNKB, LNKC),
                PRT_ROW (0x0015ffff, LNKA, LNKB, LNKC, LNKD),
                PRT_ROW (0x0016ffff, LNKB, LNKC, LNKD, LNKA),
                PRT_ROW (0x0017ffff, LNKC, LNKD, LNKA, LNKB),
                PRT_ROW (0x0018ffff, LNKD, LNKA, LNKB, LNKC),
                PRT_ROW (0x0019ffff, LNKA, LNKB, LNKC, LNKD),
                PRT_ROW (0x001affff, LNKB, LNKC, LNKD, LNKA),
                PRT_ROW (0x001bffff, LNKC, LNKD, LNKA, LNKB),
                PRT_ROW (0x001cffff, LNKD, LNKA, LNKB, LNKC),
                PRT_ROW (0x001dffff, LNKA, LNKB, LNKC, LNKD),
                PRT_ROW (0x001effff, LNKB, LNKC, LNKD, LNKA),
                PRT_ROW (0x001fffff, LNKC, LNKD, LNKA, LNKB)
            })

            Device (ISA)
            {
                Name (_ADR, 0x00010000)
                /* PIIX3 PIRQRC: bit 7 not routed, bits 3-0 the interrupt. */
                OperationRegion (PIRQ, PCI_Config, 0x60, 4)
                Field (PIRQ, ByteAcc, NoLock, Preserve)
                {
                    PRQA, 8, PRQB, 8, PRQC, 8, PRQD, 8
                }

                Device (KBD)
                {
                    Name (_HID, EisaId ("PNP0303"))
                    Method (_STA) { If (\KBDE) { Return (0x0f) } Return (0) }
                    Name (_CRS, ResourceTemplate ()
                    {
                        IO (Decode16, 0x60, 0x60, 1, 1)
                        IO (Decode16, 0x64, 0x64, 1, 1)
                        IRQNoFlags () { 1 }
                    })
                }
                Device (MOU)
                {
                    Name (_HID, EisaId ("PNP0F13"))
                    Method (_STA) { If (\KBDE) { Return (0x0f) } Return (0) }
                    Name (_CRS, ResourceTemplate () { IRQNoFlags () { 12 } })
                }
                Device (RTC)
                {
                    Name (_HID, EisaId ("PNP0B00"))
                    Name (_CRS, ResourceTemplate ()
                    {
                        IO (Decode16, 0x70, 0x70, 1, 8)
                        IRQNoFlags () { 8 }
                    })
                }
                Device (COM1)
                {
                    Name (_HID, EisaId ("PNP0501"))
                    Name (_UID, 1)
                    Method (_STA) { If (\COMS & 1) { Return (0x0f) } Return (0) }
                    Name (_CRS, ResourceTemplate ()
                    {
                        IO (Decode16, 0x3f8, 0x3f8, 0, 8)
                        IRQNoFlags () { 4 }
                    })
                }
                Device (COM2)
                {
                    Name (_HID, EisaId ("PNP0501"))
                    Name (_UID, 2)
                    Method (_STA) { If (\COMS & 2) { Return (0x0f) } Return (0) }
                    Name (_CRS, ResourceTemplate ()
                    {
                        IO (Decode16, 0x2f8, 0x2f8, 0, 8)
                        IRQNoFlags () { 3 }
                    })
                }
                Device (COM3)
                {
                    Name (_HID, EisaId ("PNP0501"))
                    Name (_UID, 3)
                    Method (_STA) { If (\COMS & 4) { Return (0x0f) } Return (0) }
                    Name (_CRS, ResourceTemplate ()
                    {
                        IO (Decode16, 0x3e8, 0x3e8, 0, 8)
                        IRQNoFlags () { 4 }
                    })
                }
                Device (COM4)
                {
                    Name (_HID, EisaId ("PNP0501"))
                    Name (_UID, 4)
                    Method (_STA) { If (\COMS & 8) { Return (0x0f) } Return (0) }
                    Name (_CRS, ResourceTemplate ()
                    {
                        IO (Decode16, 0x2e8, 0x2e8, 0, 8)
                        IRQNoFlags () { 3 }
                    })
                }
            }

            Device (PEVT)
            {
                Name (_HID, "QEMU0001")
                Method (_STA) { If (\PVPP) { Return (0x0f) } Return (0) }
                Name (RES, ResourceTemplate () { IO (Decode16, 0, 0, 1, 1, PVIO) })
                Method (_CRS, 0, Serialized)
                {
                    CreateWordField (RES, ^PVIO._MIN, MIN)
                    CreateWordField (RES, ^PVIO._MAX, MAX)
                    MIN = \PVPP
                    MAX = \PVPP
                    Return (RES)
                }
            }

            Device (GPE0)
            {
                Name (_HID, EisaId ("PNP0C02"))
                Name (_UID, "GPE0")
                Name (_STA, 0x0b)
                Name (_CRS, ResourceTemplate () { IO (Decode16, 0xafe0, 0xafe0, 1, 4) })
            }

            /*
             * PCI hot-plug: slots that have news (SLUP), shall be emptied (SLDN), are let go of
             * (SLEJ); what an operating system asks of one (SLDM).  The slots themselves and the
             * event's method, which notifies them, are made at run time.
             */
            OperationRegion (HPRG, SystemIO, 0xae00, 0x18)
            Field (HPRG, DWordAcc, NoLock, WriteAsZeros)
            {
                HPUP, 32, HPDN, 32, HPEJ, 32, HPRM, 32, HPBS, 32, HPIX, 32
            }
            Mutex (HPLK, 0)
            Method (SLUP, 0, Serialized)
            {
                Acquire (HPLK, 0xffff)
                HPBS = 0
                Local0 = HPUP
                Release (HPLK)
                Return (Local0)
            }
            Method (SLDN, 0, Serialized)
            {
                Acquire (HPLK, 0xffff)
                HPBS = 0
                Local0 = HPDN
                Release (HPLK)
                Return (Local0)
            }
            Method (SLEJ, 1, Serialized)
            {
                Acquire (HPLK, 0xffff)
                HPBS = 0
                HPEJ = 1 << Arg0
                Release (HPLK)
            }
            /* PCI Firmware Specification 3.2, 4.6.7: function 7 names an onboard device. */
            Method (SLDM, 5, Serialized)
            {
                If (Arg0 != ToUUID ("e5c937d0-3553-4d7a-9117-ea4d19c3434d"))
                {
                    Return (Buffer () { 0 })
                }
                Acquire (HPLK, 0xffff)
                HPBS = 0
                HPIX = 1 << Arg4
                Local0 = HPIX
                Release (HPLK)
                If (Arg2 == 0)
                {
                    If (Arg1 >= 2 && Local0 != 0)
                    {
                        Return (Buffer () { 0x81 })
                    }
                    Return (Buffer () { 0 })
                }
                If (Arg2 == 7)
                {
                    Local1 = Package (2) { 0, "" }
                    Local1[0] = Local0
                    Return (Local1)
                }
                Return (Buffer () { 0 })
            }
            Device (HPRS)
            {
                Name (_HID, EisaId ("PNP0A06"))
                Name (_UID, "PCI hot-plug")
                Name (_STA, 0x0b)
                Name (_CRS, ResourceTemplate () { IO (Decode16, 0xae00, 0xae00, 1, 0x18) })
            }

            Device (FWCF)
            {
                Name (_HID, "QEMU0002")
                Name (_STA, 0x0b)
                Name (_CRS, ResourceTemplate () { IO (Decode16, 0x510, 0x510, 1, 0x0c) })
            }
        }

        Device (HPET)
        {
            Name (_HID, EisaId ("PNP0103"))
            Name (_UID, 0)
            Method (_STA) { If (\HPTE) { Return (0x0f) } Return (0) }
            Name (_CRS, ResourceTemplate () { Memory32Fixed (ReadOnly, 0xfed00000, 0x400) })
        }

        /* Interrupts a link may use, and the template its current one is written into. */
        Name (LPRS, ResourceTemplate ()
        {
            Interrupt (ResourceConsumer, Level, ActiveHigh, Shared) { 5, 10, 11 }
        })
        Name (LRES, ResourceTemplate ()
        {
            Interrupt (ResourceConsumer, Level, ActiveHigh, Shared, , , LIRQ) { 0 }
        })
        Method (LCRS, 1, Serialized)
        {
            CreateDWordField (LRES, ^LIRQ._INT, VAL)
            VAL = 0
            If (Arg0 < 0x80)
            {
                VAL = Arg0
            }
            Return (LRES)
        }
        Method (LSTA, 1)
        {
            If (Arg0 & 0x80)
            {
                Return (0x09)
            }
            Return (0x0b)
        }
        Method (LINT, 1, Serialized)
        {
            CreateDWordField (Arg0, 5, VAL)
            Return (VAL)
        }

        Device (LNKA)
        {
            Name (_HID, EisaId ("PNP0C0F"))
            Name (_UID, 0)
            Method (_STA) { Return (LSTA (^^PCI0.ISA.PRQA)) }
            Method (_PRS) { Return (LPRS) }
            Method (_CRS) { Return (LCRS (^^PCI0.ISA.PRQA)) }
            Method (_DIS) { ^^PCI0.ISA.PRQA |= 0x80 }
            Method (_SRS, 1) { ^^PCI0.ISA.PRQA = LINT (Arg0) }
        }
        Device (LNKB)
        {
            Name (_HID, EisaId ("PNP0C0F"))
            Name (_UID, 1)
            Method (_STA) { Return (LSTA (^^PCI0.ISA.PRQB)) }
            Method (_PRS) { Return (LPRS) }
            Method (_CRS) { Return (LCRS (^^PCI0.ISA.PRQB)) }
            Method (_DIS) { ^^PCI0.ISA.PRQB |= 0x80 }
            Method (_SRS, 1) { ^^PCI0.ISA.PRQB = LINT (Arg0) }
        }
        Device (LNKC)
        {
            Name (_HID, EisaId ("PNP0C0F"))
            Name (_UID, 2)
            Method (_STA) { Return (LSTA (^^PCI0.ISA.PRQC)) }
            Method (_PRS) { Return (LPRS) }
            Method (_CRS) { Return (LCRS (^^PCI0.ISA.PRQC)) }
            Method (_DIS) { ^^PCI0.ISA.PRQC |= 0x80 }
            Method (_SRS, 1) { ^^PCI0.ISA.PRQC = LINT (Arg0) }
        }
        Device (LNKD)
        {
            Name (_HID, EisaId ("PNP0C0F"))
            Name (_UID, 3)
            Method (_STA) { Return (LSTA (^^PCI0.ISA.PRQD)) }
            Method (_PRS) { Return (LPRS) }
            Method (_CRS) { Return (LCRS (^^PCI0.ISA.PRQD)) }
            Method (_DIS) { ^^PCI0.ISA.PRQD |= 0x80 }
            Method (_SRS, 1) { ^^PCI0.ISA.PRQD = LINT (Arg0) }
        }

        /* The SCI is wired to interrupt 9. */
        Device (LNKS)
        {
            Name (_HID, EisaId ("PNP0C0F"))
            Name (_UID, 4)
            Name (_STA, 0x0b)
            Name (_PRS, ResourceTemplate ()
            {
                Interrupt (ResourceConsumer, Level, ActiveHigh, Shared) { 9 }
            })
            Name (_CRS, ResourceTemplate ()
            {
                Interrupt (ResourceConsumer, Level, ActiveHigh, Shared) { 9 }
            })
            Method (_DIS) { }
            Method (_SRS, 1) { }
        }
    }
}
