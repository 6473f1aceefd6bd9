/* The commands a logical unit knows, by operation code (SPC-3 D.3, SBC-3, MMC-5). */
#include "scsi_core.h"

/* TEST UNIT READY and the like: all there is to do is in the row's flags. */
static void cmd_well(ScsiRequest *req)
{
    scsi_good(req);
}

#define FOR_TARGET (SCSI_ANY_TIME | SCSI_TARGET)
/* RESERVE and RELEASE are for several initiators; there is one. */
#define RESERVATION { cmd_well, SCSI_FOR_ALL, SCSI_RAW_ONLY }

const ScsiCommand scsi_commands[256] = {
    [0x00] = { cmd_well, SCSI_FOR_ALL, SCSI_MEDIUM },                   /* TEST UNIT READY */
    [0x03] = { scsi_cmd_request_sense, SCSI_FOR_ALL, FOR_TARGET, LENGTH_8_AT_4 },
    [0x08] = { scsi_cmd_read, SCSI_FOR_ALL, SCSI_MEDIUM | SCSI_RAW_ONLY, LENGTH_BLOCKS },
    [0x0a] = { scsi_cmd_write, SCSI_FOR_DISK, SCSI_MEDIUM | SCSI_OUT, LENGTH_BLOCKS },
    [0x12] = { scsi_cmd_inquiry, SCSI_FOR_ALL, FOR_TARGET, LENGTH_16_AT_3 },
    [0x15] = { scsi_cmd_mode_select, SCSI_FOR_ALL, SCSI_RAW_ONLY | SCSI_OUT, LENGTH_8_AT_4 },
    [0x16] = RESERVATION,
    [0x17] = RESERVATION,
    [0x1a] = { scsi_cmd_mode_sense, SCSI_FOR_ALL, SCSI_RAW_ONLY, LENGTH_8_AT_4 },
    [0x1b] = { scsi_cmd_start_stop, SCSI_FOR_ALL, 0 },
    [0x1e] = { scsi_cmd_prevent, SCSI_FOR_ALL, 0 },
    [0x25] = { scsi_cmd_read_capacity, SCSI_FOR_ALL, SCSI_MEDIUM, LENGTH_8 },
    [0x28] = { scsi_cmd_read, SCSI_FOR_ALL, SCSI_MEDIUM, LENGTH_BLOCKS },
    [0x2a] = { scsi_cmd_write, SCSI_FOR_DISK, SCSI_MEDIUM | SCSI_OUT, LENGTH_BLOCKS },
    [0x2b] = { scsi_cmd_seek, SCSI_FOR_ALL, SCSI_MEDIUM },
    [0x2e] = { scsi_cmd_write, SCSI_FOR_DISK, SCSI_MEDIUM | SCSI_OUT, LENGTH_BLOCKS },
    [0x2f] = { scsi_cmd_verify, SCSI_FOR_ALL, SCSI_MEDIUM | SCSI_RAW_ONLY },
    [0x35] = { scsi_cmd_synchronize, SCSI_FOR_ALL, SCSI_MEDIUM },
    [0x41] = { scsi_cmd_write_same, SCSI_FOR_DISK, SCSI_MEDIUM | SCSI_OUT, LENGTH_BLOCK },
    [0x42] = { scsi_cmd_unmap, SCSI_FOR_DISK, SCSI_MEDIUM | SCSI_OUT, LENGTH_16_AT_7 },
    [0x43] = { scsi_cmd_read_toc, SCSI_FOR_CD, SCSI_MEDIUM, LENGTH_16_AT_7 },
    [0x46] = { scsi_cmd_get_configuration, SCSI_FOR_CD, SCSI_ANY_TIME, LENGTH_16_AT_7 },
    [0x4a] = { scsi_cmd_get_event, SCSI_FOR_CD, SCSI_ANY_TIME, LENGTH_16_AT_7 },
    [0x51] = { scsi_cmd_disc_information, SCSI_FOR_CD, SCSI_MEDIUM, LENGTH_16_AT_7 },
    [0x55] = { scsi_cmd_mode_select, SCSI_FOR_ALL, SCSI_OUT, LENGTH_16_AT_7 },
    [0x56] = RESERVATION,
    [0x57] = RESERVATION,
    [0x5a] = { scsi_cmd_mode_sense, SCSI_FOR_ALL, 0, LENGTH_16_AT_7 },
    [0x88] = { scsi_cmd_read, SCSI_FOR_DISK, SCSI_MEDIUM, LENGTH_BLOCKS },
    [0x8a] = { scsi_cmd_write, SCSI_FOR_DISK, SCSI_MEDIUM | SCSI_OUT, LENGTH_BLOCKS },
    [0x8e] = { scsi_cmd_write, SCSI_FOR_DISK, SCSI_MEDIUM | SCSI_OUT, LENGTH_BLOCKS },
    [0x8f] = { scsi_cmd_verify, SCSI_FOR_DISK, SCSI_MEDIUM },
    [0x91] = { scsi_cmd_synchronize, SCSI_FOR_DISK, SCSI_MEDIUM },
    [0x93] = { scsi_cmd_write_same, SCSI_FOR_DISK, SCSI_MEDIUM | SCSI_OUT, LENGTH_BLOCK },
    [0x9e] = { scsi_cmd_service_action_in, SCSI_FOR_DISK, SCSI_MEDIUM, LENGTH_32_AT_10 },
    [0xa0] = { scsi_cmd_report_luns, SCSI_FOR_ALL, FOR_TARGET, LENGTH_32_AT_6 },
    [0xa8] = { scsi_cmd_read, SCSI_FOR_ALL, SCSI_MEDIUM, LENGTH_BLOCKS },
    [0xaa] = { scsi_cmd_write, SCSI_FOR_DISK, SCSI_MEDIUM | SCSI_OUT, LENGTH_BLOCKS },
    [0xad] = { scsi_cmd_disc_structure, SCSI_FOR_CD, 0, LENGTH_16_AT_8 },
    [0xae] = { scsi_cmd_write, SCSI_FOR_DISK, SCSI_MEDIUM | SCSI_OUT, LENGTH_BLOCKS },
    [0xaf] = { scsi_cmd_verify, SCSI_FOR_DISK, SCSI_MEDIUM },
    [0xbb] = { cmd_well, SCSI_FOR_CD, 0 },                              /* SET CD SPEED */
    [0xbd] = { scsi_cmd_mechanism_status, SCSI_FOR_CD, 0, LENGTH_16_AT_8 },
    [0xbe] = { scsi_cmd_read_cd, SCSI_FOR_CD, SCSI_MEDIUM, LENGTH_READ_CD },
};
