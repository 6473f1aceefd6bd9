/*
 * Inside SCSI: how a command of a logical unit is written.
 *
 * A command is a row of scsi_commands and a function that ends the request or starts what will:
 * scsi_good(), scsi_fail(), scsi_send() for data the function made, scsi_receive() for parameters
 * from the host, scsi_transfer() for sectors.
 */
#pragma once

#include "bytes.h"
#include "scsi.h"

enum { SCSI_FOR_DISK = 1, SCSI_FOR_CD = 2, SCSI_FOR_ALL = 3 };          /* ScsiCommand.kinds */
enum {
    SCSI_MEDIUM = 1,                /* fails without one */
    SCSI_ANY_TIME = 2,              /* also while a unit attention is pending */
    SCSI_OUT = 4,                   /* its data comes from the host */
    SCSI_RAW_ONLY = 8,              /* not part of ATAPI */
    SCSI_TARGET = 16,               /* answered also for a logical unit that is not there */
};

/* Where a CDB has the length of the data phase. */
typedef enum ScsiLength {
    LENGTH_NONE,
    LENGTH_8_AT_4, LENGTH_16_AT_3, LENGTH_16_AT_7, LENGTH_16_AT_8, LENGTH_32_AT_6, LENGTH_32_AT_10,
    LENGTH_BLOCKS,                  /* a count of blocks, by the CDB's group */
    LENGTH_BLOCK,                   /* one block */
    LENGTH_8,                       /* that many bytes, always */
    LENGTH_READ_CD,
} ScsiLength;

struct ScsiCommand {
    void (*run)(ScsiRequest *req);  /* NULL: no such command */
    uint8_t kinds, flags;
    ScsiLength length;
};
extern const ScsiCommand scsi_commands[256];        /* scsi_commands.c */

/* ---- ends and data phases: scsi_unit.c ---- */
void scsi_good(ScsiRequest *req);
void scsi_fail(ScsiRequest *req, ScsiSense sense);
void scsi_fail_errno(ScsiRequest *req, int ret);
/* Sends at most req->len bytes of what is copied from `data`, then ends well. */
void scsi_send(ScsiRequest *req, const void *data, uint32_t len);
/* Collects req->len bytes, at most SCSI_WINDOW, in req->buf and calls `then`. */
void scsi_receive(ScsiRequest *req, void (*then)(ScsiRequest *req));
/* An image request; `then` only runs if it went well and the request was not cancelled. */
void scsi_submit(ScsiRequest *req, BlockOp op, unsigned flags, uint64_t offset, uint64_t len,
                 const struct iovec *iov, unsigned niov, void (*then)(ScsiRequest *req));
void scsi_window(ScsiRequest *req, uint32_t len);   /* hands the first bytes of buf to the host */
uint8_t *scsi_buffer(ScsiRequest *req, uint32_t len);
void scsi_set_attention(ScsiUnit *unit, ScsiSense sense);

/* Fixed (SCSI_SENSE_SIZE) or descriptor (8 bytes) format; returns the length. */
unsigned scsi_build_sense(ScsiSense sense, bool descriptor, uint8_t *out);

/* ---- CDBs ---- */
uint64_t scsi_cdb_lba(const uint8_t *cdb);
uint32_t scsi_cdb_count(const uint8_t *cdb);        /* READ(6): 0 is 256 */
bool scsi_cdb_has_no_block(const uint8_t *cdb);     /* WRITE SAME(16) with NDOB: zeroes */

#define SENSE_OF(name_, key_, asc_, ascq_) \
    static const ScsiSense name_ G_GNUC_UNUSED = { SENSE_##key_, asc_, ascq_ };
SENSE_OF(sense_none, NO_SENSE, 0, 0)
SENSE_OF(sense_bad_opcode, ILLEGAL_REQUEST, 0x20, 0x00)
SENSE_OF(sense_bad_lba, ILLEGAL_REQUEST, 0x21, 0x00)
SENSE_OF(sense_bad_field, ILLEGAL_REQUEST, 0x24, 0x00)
SENSE_OF(sense_bad_lun, ILLEGAL_REQUEST, 0x25, 0x00)
SENSE_OF(sense_bad_parameter, ILLEGAL_REQUEST, 0x26, 0x00)
SENSE_OF(sense_parameter_length, ILLEGAL_REQUEST, 0x1a, 0x00)
SENSE_OF(sense_no_saving, ILLEGAL_REQUEST, 0x39, 0x00)
SENSE_OF(sense_removal_prevented, ILLEGAL_REQUEST, 0x53, 0x02)
SENSE_OF(sense_wrong_medium, ILLEGAL_REQUEST, 0x30, 0x02)
SENSE_OF(sense_no_medium, NOT_READY, 0x3a, 0x00)
SENSE_OF(sense_no_medium_open, NOT_READY, 0x3a, 0x02)
SENSE_OF(sense_stopped, NOT_READY, 0x04, 0x02)
SENSE_OF(sense_read_error, MEDIUM_ERROR, 0x11, 0x00)
SENSE_OF(sense_write_error, MEDIUM_ERROR, 0x0c, 0x00)
SENSE_OF(sense_target_failure, HARDWARE_ERROR, 0x44, 0x00)
SENSE_OF(sense_write_protected, DATA_PROTECT, 0x27, 0x00)
SENSE_OF(sense_no_space, DATA_PROTECT, 0x27, 0x07)
SENSE_OF(sense_reset, UNIT_ATTENTION, 0x29, 0x00)
SENSE_OF(sense_new_medium, UNIT_ATTENTION, 0x28, 0x00)
SENSE_OF(sense_new_capacity, UNIT_ATTENTION, 0x2a, 0x09)

/* ---- the commands, by file ---- */
/* scsi_inquiry.c */
void scsi_cmd_inquiry(ScsiRequest *req);
void scsi_cmd_report_luns(ScsiRequest *req);
void scsi_cmd_request_sense(ScsiRequest *req);
/* scsi_mode.c */
void scsi_cmd_mode_sense(ScsiRequest *req);
void scsi_cmd_mode_select(ScsiRequest *req);
/* scsi_sectors.c */
void scsi_cmd_read(ScsiRequest *req);
void scsi_cmd_write(ScsiRequest *req);
void scsi_cmd_verify(ScsiRequest *req);
void scsi_cmd_seek(ScsiRequest *req);
void scsi_cmd_synchronize(ScsiRequest *req);
void scsi_cmd_unmap(ScsiRequest *req);
void scsi_cmd_write_same(ScsiRequest *req);
void scsi_cmd_read_capacity(ScsiRequest *req);
void scsi_cmd_service_action_in(ScsiRequest *req);
void scsi_cmd_read_cd(ScsiRequest *req);
/* scsi_mmc.c */
void scsi_cmd_start_stop(ScsiRequest *req);
void scsi_cmd_prevent(ScsiRequest *req);
void scsi_cmd_read_toc(ScsiRequest *req);
void scsi_cmd_get_configuration(ScsiRequest *req);
void scsi_cmd_get_event(ScsiRequest *req);
void scsi_cmd_disc_information(ScsiRequest *req);
void scsi_cmd_mechanism_status(ScsiRequest *req);
void scsi_cmd_disc_structure(ScsiRequest *req);
bool scsi_cd_is_dvd(const ScsiUnit *unit);
