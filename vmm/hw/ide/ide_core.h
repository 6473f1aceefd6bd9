/*
 * Inside IDE: a channel, its two drives, and how a command moves data.
 *
 * A command runs to its end, or until it waits for one of three: the guest (a window of the buffer
 * at the data port, `phase`), the bus master (`dma`), the image (`busy`).  Each wait names the
 * function that goes on.  A channel has one command under way; main thread, machine lock.
 */
#pragma once

#include "ide.h"
#include "irq.h"
#include "scsi.h"

#define IDE_SECTOR      512
#define IDE_BUF_SECTORS 256
#define IDE_BUF_SIZE    (IDE_BUF_SECTORS * IDE_SECTOR)
#define IDE_MAX_MULTIPLE 16
#define IDE_CDB_SIZE    12
#define IDE_TRIM_PAGES  8                   /* of ranges in one DATA SET MANAGEMENT */

/* ATA-6 7.14 and 7.15: status register, alternate status */
enum {
    IDE_ERR = 0x01, IDE_DRQ = 0x08, IDE_DSC = 0x10, IDE_DF = 0x20, IDE_DRDY = 0x40, IDE_BSY = 0x80,
};
/* 7.9: error register */
enum { IDE_ABRT = 0x04, IDE_IDNF = 0x10, IDE_UNC = 0x40 };
/* 7.7: device register */
enum { IDE_HEAD = 0x0f, IDE_DEV = 0x10, IDE_LBA = 0x40, IDE_DEV_ONES = 0xa0 };
/* 7.8: device control register */
enum { IDE_NIEN = 0x02, IDE_SRST = 0x04, IDE_HOB = 0x80 };

typedef struct IdeDrive IdeDrive;
typedef struct IdeChannel IdeChannel;
typedef struct IdeBusMaster IdeBusMaster;

/* What the window at the data port is for. The values are saved. */
typedef enum IdePhase {
    IDE_PHASE_NONE,
    IDE_PHASE_IN,               /* sectors or a page of data to the guest */
    IDE_PHASE_OUT,              /* sectors from it */
    IDE_PHASE_CDB,              /* a command packet */
    IDE_PHASE_PACKET_IN, IDE_PHASE_PACKET_OUT,
    IDE_PHASES
} IdePhase;

typedef enum IdeDma { IDE_DMA_NONE, IDE_DMA_READ, IDE_DMA_WRITE, IDE_DMA_TRIM, IDE_DMA_PACKET_IN,
                      IDE_DMA_PACKET_OUT } IdeDma;

typedef struct IdeRegs {
    uint8_t feature, error, select, status;
    uint8_t count, lba_low, lba_mid, lba_high;
    /* what was written before the last write: bits 8–15 of count and 24–47 of the address */
    uint8_t hob_feature, hob_count, hob_low, hob_mid, hob_high;
} IdeRegs;

struct IdeDrive {
    Device dev;
    /* configuration */
    BlockConf conf;
    uint32_t unit;
    char *version, *serial, *model;
    uint64_t wwn;
    uint16_t rotation_rate;
    int chs_translation;
    /* wiring */
    IdeChannel *channel;                /* NULL: not realized */
    bool cd;
    uint64_t capacity;                  /* hard disks: sectors */
    bool original_cache;                /* the write cache, before the guest switched it */
    bool busy;                          /* req is under way */
    BlockReq req;
    struct iovec iov;
    void (*ended)(IdeDrive *drive, int ret);
    ScsiUnit logical_unit;              /* CD drives */
    ScsiRequest packet;
    bool packet_active;
    uint8_t *window;                    /* of the packet's data, and how much of it went over */
    uint32_t window_len, window_pos;
    /* guest-visible state */
    IdeRegs regs;
    uint8_t multiple, transfer_mode;
    bool lba48, smart_off, read_look_ahead_off;
    bool fua;
    uint32_t heads, secs;               /* current translation */
    uint8_t phase;                      /* IdePhase */
    uint8_t dma;                        /* IdeDma: what the bus master is to move */
    uint32_t pos, end;                  /* of the window, in buf */
    uint32_t filled;                    /* bytes of buf that hold data of this command */
    uint32_t block;                     /* sectors a window has at most */
    uint64_t lba;                       /* next sector of the medium */
    uint32_t left;                      /* sectors still to go between medium and buffer */
    uint32_t dma_done;                  /* bytes of a page of trim ranges that have come */
    uint8_t buf[IDE_BUF_SIZE];
};

struct IdeChannel {
    Bus bus;
    /* wiring */
    unsigned number;
    IdeDrive *drives[2];
    IrqLine irq;
    IdeBusMaster *bm;                   /* NULL: the channel has no bus master */
    /* guest-visible state, saved by the controller */
    uint8_t unit;                       /* the selected one */
    uint8_t control;
    bool irq_pending;
};

/* SFF-8038i 3: the bus master's registers of one channel. */
enum { BM_START = 0x01, BM_TO_MEMORY = 0x08 };
enum { BM_ACTIVE = 0x01, BM_ERROR = 0x02, BM_INTERRUPT = 0x04, BM_DRIVES_DMA = 0x60 };

#define BM_MAX_PIECES   768
#define BM_BOUNCE_SIZE  4096

/* A stretch of guest memory a transfer is about. */
typedef struct BmPiece { uint32_t addr, len; bool bounced; } BmPiece;

struct IdeBusMaster {
    IdeChannel *channel;
    PciDevice *pci;
    MemRegion regs_io, addr_io;
    /* the transfer under way */
    unsigned count;
    uint32_t total;
    BmPiece pieces[BM_MAX_PIECES];
    struct iovec iov[BM_MAX_PIECES];
    uint8_t bounce[BM_BOUNCE_SIZE];
    /* guest-visible state */
    uint8_t command, status;
    uint32_t addr;                      /* of the descriptor table */
    uint32_t next;                      /* address of the next descriptor */
    uint32_t piece_addr, piece_left;    /* rest of the current one */
    bool last;                          /* the current one is marked as the last */
};

/* ---- ide_channel.c: registers and command dispatch ---- */
IdeChannel *ide_channel_new(Device *parent, const char *name, unsigned number, IrqLine irq);
/* The controller's regions of the command block (8 ports) and of device control (1). */
void ide_channel_init_io(IdeChannel *channel, Object *owner, MemRegion *command,
                         MemRegion *control);
void ide_channel_reset(IdeChannel *channel);
void ide_raise_irq(IdeChannel *channel);
void ide_update_irq(IdeChannel *channel);
void ide_drive_reset(IdeDrive *drive);
void ide_set_signature(IdeDrive *drive);
void ide_cancel(IdeDrive *drive);               /* the command under way is forgotten */

/* A command's ways to end: */
void ide_done(IdeDrive *drive);                 /* well, with an interrupt */
void ide_done_quietly(IdeDrive *drive);         /* well, the interrupt was before the data */
void ide_abort(IdeDrive *drive);
void ide_fail(IdeDrive *drive, uint8_t error);
/* Opens the window buf[pos, pos + len) at the data port. */
void ide_window(IdeDrive *drive, IdePhase phase, uint32_t pos, uint32_t len, bool irq);
/* Sends req; `ended` goes on. */
void ide_submit(IdeDrive *drive, BlockOp op, uint64_t offset, uint64_t len,
                const struct iovec *iov, unsigned niov, void (*ended)(IdeDrive *drive, int ret));

typedef struct IdeCommand {
    void (*run)(IdeDrive *drive);               /* NULL: aborted */
    uint8_t drives;                             /* bits IDE_HD, IDE_CD */
    uint8_t variant;
} IdeCommand;
enum { IDE_HD = 1, IDE_CD = 2, IDE_ANY = 3 };
extern const IdeCommand ide_commands[256];      /* ide_commands.c */
extern const BusType ide_bus_type;

/* ---- ide_disk.c: sectors ---- */
enum { IDE_RW_EXT = 1, IDE_RW_MULTIPLE = 2, IDE_RW_FUA = 4 };   /* IdeCommand.variant */
void ide_cmd_read(IdeDrive *drive);
void ide_cmd_write(IdeDrive *drive);
void ide_cmd_read_dma(IdeDrive *drive);
void ide_cmd_write_dma(IdeDrive *drive);
void ide_cmd_verify(IdeDrive *drive);
void ide_cmd_flush(IdeDrive *drive);
void ide_cmd_trim(IdeDrive *drive);
void ide_cmd_native_max(IdeDrive *drive);
void ide_disk_in_done(IdeDrive *drive);
void ide_disk_out_done(IdeDrive *drive);
void ide_trim_done(IdeDrive *drive);
void ide_disk_dma(IdeDrive *drive);

/* ---- ide_identify.c, ide_smart.c ---- */
void ide_identify_disk(const IdeDrive *drive, uint8_t *page);
void ide_identify_packet(const IdeDrive *drive, uint8_t *page);
void ide_cmd_smart(IdeDrive *drive);

/* ---- ide_atapi.c ---- */
void ide_cmd_packet(IdeDrive *drive);
void ide_packet_received(IdeDrive *drive);
void ide_packet_in_done(IdeDrive *drive);
void ide_packet_out_done(IdeDrive *drive);
void ide_packet_dma(IdeDrive *drive);

/* ---- ide_dma.c: the bus master ---- */
void ide_bm_init(IdeBusMaster *bm, PciDevice *pci, IdeChannel *channel);
void ide_bm_finish(IdeBusMaster *bm);
void ide_bm_reset(IdeBusMaster *bm);
/*
 * The drive has data to move: goes on when the guest starts the bus master, now if it has.  The
 * drive's `dma` says what.
 */
void ide_dma_ready(IdeDrive *drive);
/*
 * Collects guest memory for up to `want` bytes into bm->iov, a multiple of `unit`; returns how
 * many.  0: the descriptors are used up.  The data of `to_device` is there on return; of the other
 * direction ide_bm_written() takes it over afterwards.
 */
uint32_t ide_bm_collect(IdeBusMaster *bm, uint32_t want, uint32_t unit, bool to_device);
void ide_bm_written(IdeBusMaster *bm);
/* The drive's command is over. */
void ide_dma_end(IdeDrive *drive);
/* The descriptors ended before the drive's data did. */
void ide_dma_short(IdeDrive *drive);
extern const StateDesc ide_bm_state;
