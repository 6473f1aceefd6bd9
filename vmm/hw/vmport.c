/*
 * VMware's backdoor port: version and memory size; vmmouse.c adds the pointer's commands.
 *
 * A guest puts a magic number into eax, a command into ecx, and reads four bytes from port 5658.
 * Not modelled: the commands about time, the BIOS' UUID and CPUs.
 */
#include "vmport.h"

#include "isa.h"
#include "vm_core.h"
#include "x86_cpu.h"

#define VMPORT_PORT         0x5658
#define VMPORT_MAGIC        0x564d5868u
#define VMPORT_GET_VERSION  10
#define VMPORT_GET_RAM_SIZE 20              /* in MiB */

typedef struct Vmport {
    Device dev;
    /* configuration */
    bool read_set_eax, signal_unsupported, report_vmx_type, cmds_v2;
    uint32_t vmx_version;
    uint8_t vmx_type;
    /* wiring */
    MemRegion io;
    struct { VmportFn fn; void *opaque; } commands[VMPORT_COMMANDS];
} Vmport;

void vmport_set_command(Device *dev, unsigned command, VmportFn fn, void *opaque)
{
    Vmport *port = DEVICE_CAST(dev, Vmport);

    g_assert(command < VMPORT_COMMANDS);
    port->commands[command].fn = fn;
    port->commands[command].opaque = opaque;
}

/* ---- commands ---- */

static void get_version(void *opaque, VmportCall *call)
{
    const Vmport *port = opaque;

    call->eax = port->vmx_version;
    call->ebx = VMPORT_MAGIC;
    if (port->report_vmx_type) {
        call->ecx = port->vmx_type;
    }
}

static void get_ram_size(void *opaque, VmportCall *call)
{
    const Vm *vm = ((const Vmport *)opaque)->dev.vm;

    call->eax = (vm->ram_below_4g + vm->ram_above_4g) >> 20;
}

/* ---- the port ---- */

static void do_call(const Vmport *port, VmportCall *call)
{
    unsigned command = call->ecx & 0xffff;

    if (call->eax == VMPORT_MAGIC && command < VMPORT_COMMANDS && port->commands[command].fn) {
        port->commands[command].fn(port->commands[command].opaque, call);
    } else if (port->signal_unsupported) {
        call->eax = UINT32_MAX;
    }
}

/*
 * A register the command has not changed keeps its upper half.  Returns whether any has; eax is
 * among them, as an engine that is given registers may take that one from there too.
 */
static bool set_registers(X86Cpu *cpu, const VmportCall *before, const VmportCall *after)
{
    const struct { unsigned reg; uint32_t before, after; } rows[] = {
        { R_RAX, before->eax, after->eax },
        { R_RBX, before->ebx, after->ebx }, { R_RCX, before->ecx, after->ecx },
        { R_RDX, before->edx, after->edx }, { R_RSI, before->esi, after->esi },
        { R_RDI, before->edi, after->edi },
    };
    bool any = false;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        if (rows[i].before != rows[i].after) {
            cpu->gpr[rows[i].reg] = rows[i].after;
            any = true;
        }
    }
    return any;
}

static uint64_t port_read(void *opaque, uint64_t offset, unsigned size)
{
    const Vmport *port = opaque;
    Vm *vm = port->dev.vm;
    X86Cpu *cpu = vm->current_cpu != NULL ? vm->current_cpu() : NULL;
    VmportCall call, before;

    if (cpu == NULL) {
        return UINT32_MAX;                      /* a monitor reads it */
    }
    if (vm->port_registers != NULL) {
        vm->port_registers(cpu, false);
    }
    call = before = (VmportCall){
        cpu->gpr[R_RAX], cpu->gpr[R_RBX], cpu->gpr[R_RCX], cpu->gpr[R_RDX], cpu->gpr[R_RSI],
        cpu->gpr[R_RDI],
    };
    do_call(port, &call);
    if (set_registers(cpu, &before, &call) && vm->port_registers != NULL) {
        vm->port_registers(cpu, true);
    }
    return call.eax;
}

/* The same call; the instruction has no result. */
static void port_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    port_read(opaque, offset, size);
}

static const MemOps port_ops = { port_read, port_write, .min_size = 4, .max_size = 4 };

static const Property vmport_props[] = {
    PROP_BOOL(Vmport, read_set_eax, .name = "x-read-set-eax", .def = true,
              .help = "kept for compatibility: a read always sets eax"),
    PROP_BOOL(Vmport, signal_unsupported, .name = "x-signal-unsupported-cmd", .def = true,
              .help = "unknown commands give -1 rather than leave eax"),
    PROP_BOOL(Vmport, report_vmx_type, .name = "x-report-vmx-type", .def = true,
              .help = "the version comes with the product's type"),
    PROP_BOOL(Vmport, cmds_v2, .name = "x-cmds-v2", .def = true,
              .help = "kept for compatibility: commands about time and CPUs, which are not there"),
    PROP_UINT32(Vmport, vmx_version, .name = "vmware-vmx-version", .def = 6,
                .help = "version the port tells"),
    PROP_UINT8(Vmport, vmx_type, .name = "vmware-vmx-type", .def = 2,
               .help = "product the port tells; 2 is a server"),
    {}
};

static bool vmport_realize(Device *dev, GError **error)
{
    Vmport *port = DEVICE_CAST(dev, Vmport);

    vmport_set_command(dev, VMPORT_GET_VERSION, get_version, port);
    vmport_set_command(dev, VMPORT_GET_RAM_SIZE, get_ram_size, port);
    mem_region_init_io(&port->io, &dev->obj, "vmport", 1, &port_ops, port);
    mem_region_add(&dev->vm->system_io, VMPORT_PORT, &port->io);
    return true;
}

static void vmport_unrealize(Device *dev)
{
    mem_region_finish(&DEVICE_CAST(dev, Vmport)->io);
}

const DeviceType vmport_type = {
    .name = "vmport", .bus = &isa_bus_type, .size = sizeof(Vmport), .props = vmport_props,
    .board_only = true, .realize = vmport_realize, .unrealize = vmport_unrealize,
};
