/*
 * What makes a unit a CD/DVD drive: tray, table of contents, features, events (MMC-5 chapter 6).
 * START STOP UNIT and PREVENT ALLOW are every removable unit's.
 *
 * A medium is one data track that fills the disc.  Not modelled: audio, sessions, writing.
 */
#include <string.h>

#include "scsi_core.h"

#define CD_FRAMES_PER_SECOND 75
#define CD_LEAD_IN           150        /* frames before LBA 0 */
#define CD_MAX_BLOCKS        (80 * 60 * CD_FRAMES_PER_SECOND)      /* above: a DVD */

#define LEAD_OUT             0xaa

bool scsi_cd_is_dvd(const ScsiUnit *unit)
{
    return scsi_unit_blocks(unit) > CD_MAX_BLOCKS;
}

/* ---- tray ---- */

enum { START_BIT = 0x01, START_LOEJ = 0x02 };

void scsi_cmd_start_stop(ScsiRequest *req)
{
    ScsiUnit *unit = req->unit;
    bool start = req->cdb[4] & START_BIT, load_eject = req->cdb[4] & START_LOEJ;

    if (req->cdb[4] >> 4 || !unit->removable || !load_eject) {      /* a power condition, or */
        unit->stopped = !start && !(req->cdb[4] >> 4);              /* the motor: nothing to do */
        scsi_good(req);
        return;
    }
    if (!start && unit->locked) {
        scsi_fail(req, sense_removal_prevented);
        return;
    }
    if (unit->tray_open == start) {
        unit->tray_open = !start;
        unit->media_event = start ? SCSI_MEDIA_NEW : SCSI_MEDIA_REMOVED;
        if (unit->conf->blk) {
            block_backend_tray_moved(unit->conf->blk, unit->tray_open);
        }
        if (start && scsi_unit_has_medium(unit)) {
            scsi_set_attention(unit, sense_new_medium);
        }
    }
    scsi_good(req);
}

void scsi_cmd_prevent(ScsiRequest *req)
{
    if (req->unit->removable) {
        req->unit->locked = req->cdb[4] & 0x01;
    }
    scsi_good(req);
}

/* ---- table of contents: MMC-5 6.26 ---- */

static void put_address(uint8_t *at, uint32_t block, bool msf)
{
    uint32_t frame = block + CD_LEAD_IN;

    if (!msf) {
        put_be32(at, block);
        return;
    }
    at[0] = 0;
    at[1] = frame / CD_FRAMES_PER_SECOND / 60;
    at[2] = frame / CD_FRAMES_PER_SECOND % 60;
    at[3] = frame % CD_FRAMES_PER_SECOND;
}

static size_t put_track(uint8_t *at, uint8_t track, uint32_t block, bool msf)
{
    memcpy(at, (const uint8_t[4]){ 0, 0x14, track, 0 }, 4);     /* 14: data, copying forbidden */
    put_address(at + 4, block, msf);
    return 8;
}

/* Formats 0 and 1 begin with the first and last track or session. 0: no such track. */
static size_t put_tracks(uint8_t *out, uint8_t first, uint32_t blocks, bool msf)
{
    size_t len = 4;

    if (first > 1 && first != LEAD_OUT) {
        return 0;
    }
    if (first <= 1) {
        len += put_track(out + len, 1, 0, msf);
    }
    return len + put_track(out + len, LEAD_OUT, blocks, msf);
}

static size_t put_raw_toc(uint8_t *out, uint32_t blocks, bool msf)
{
    static const uint8_t points[] = { 0xa0, 0xa1, 0xa2, 0x01 };     /* first, last, lead-out, 1 */
    size_t len = 4;

    for (size_t i = 0; i < G_N_ELEMENTS(points); i++, len += 11) {
        uint8_t *entry = memset(out + len, 0, 11);

        entry[0] = 1;
        entry[1] = 0x14;
        entry[3] = points[i];
        if (points[i] == 0xa0 || points[i] == 0xa1) {
            entry[8] = 1;
        } else {
            put_address(entry + 7, points[i] == 0xa2 ? blocks : 0, msf);
        }
    }
    return len;
}

void scsi_cmd_read_toc(ScsiRequest *req)
{
    uint32_t blocks = MIN(scsi_unit_blocks(req->unit), UINT32_MAX - CD_LEAD_IN);
    uint8_t out[64], format = req->cdb[2] & 0x0f;
    bool msf = req->cdb[1] & 0x02;
    size_t len = 0;

    if (!format) {
        format = req->cdb[9] >> 6;                  /* SFF-8020i had it there */
    }
    switch (format) {
    case 0:
        len = put_tracks(out, req->cdb[6], blocks, msf);
        break;
    case 1:
        len = 4 + put_track(out + 4, 1, 0, msf);
        break;
    case 2:
        len = put_raw_toc(out, blocks, msf);
        break;
    }
    if (!len) {
        scsi_fail(req, sense_bad_field);
        return;
    }
    put_be16(out, len - 2);
    out[2] = out[3] = 1;
    scsi_send(req, out, len);
}

/* ---- features and profiles: MMC-5 5.3 and 6.6 ---- */

enum { PROFILE_NONE = 0x0000, PROFILE_CD_ROM = 0x0008, PROFILE_DVD_ROM = 0x0010 };
enum { FEATURE_CURRENT = 0x01, FEATURE_PERSISTENT = 0x02 };

static uint16_t current_profile(const ScsiUnit *unit)
{
    if (!scsi_unit_has_medium(unit)) {
        return PROFILE_NONE;
    }
    return scsi_cd_is_dvd(unit) ? PROFILE_DVD_ROM : PROFILE_CD_ROM;
}

typedef enum FeatureWhen { WHEN_ALWAYS, WHEN_MEDIUM, WHEN_CD, WHEN_DVD } FeatureWhen;

/* `flags`: version << 2 | persistent; `data` is what follows the head. */
static const struct { uint16_t code; uint8_t flags; FeatureWhen when; uint8_t len, data[8]; }
features[] = {
    { 0x0001, 2 << 2 | FEATURE_PERSISTENT, WHEN_ALWAYS, 8, { 0, 0, 0, 1, 0x01 } },  /* core */
    { 0x0003, FEATURE_PERSISTENT, WHEN_ALWAYS, 4, { 0x29 } },       /* removable: tray, eject */
    { 0x0010, 0, WHEN_MEDIUM, 8, { 0, 0, 8, 0, 0, 1 } },            /* random readable, 2048 */
    { 0x001d, 0, WHEN_CD, 0, { 0 } },                               /* multi-read */
    { 0x001e, 0, WHEN_CD, 4, { 0 } },                               /* CD read */
    { 0x001f, 0, WHEN_DVD, 4, { 0 } },                              /* DVD read */
    { 0x0100, FEATURE_PERSISTENT, WHEN_ALWAYS, 0, { 0 } },          /* power management */
};

static bool feature_is_current(const ScsiUnit *unit, FeatureWhen when)
{
    uint16_t profile = current_profile(unit);

    switch (when) {
    case WHEN_MEDIUM:
        return profile != PROFILE_NONE;
    case WHEN_CD:
        return profile == PROFILE_CD_ROM;
    case WHEN_DVD:
        return profile == PROFILE_DVD_ROM;
    default:
        return true;
    }
}

static size_t put_profiles(const ScsiUnit *unit, uint8_t *out)
{
    static const uint16_t profiles[] = { PROFILE_DVD_ROM, PROFILE_CD_ROM };
    uint16_t current = current_profile(unit);

    memcpy(out, (const uint8_t[4]){ 0, 0, FEATURE_PERSISTENT | FEATURE_CURRENT, 8 }, 4);
    for (size_t i = 0; i < G_N_ELEMENTS(profiles); i++) {
        put_be16(out + 4 + 4 * i, profiles[i]);
        out[6 + 4 * i] = profiles[i] == current;
        out[7 + 4 * i] = 0;
    }
    return 12;
}

void scsi_cmd_get_configuration(ScsiRequest *req)
{
    const ScsiUnit *unit = req->unit;
    unsigned wanted = req->cdb[1] & 0x03, first = get_be16(req->cdb + 2);
    uint8_t out[128] = { 0 };
    size_t len = 8;

    if (wanted == 3) {
        scsi_fail(req, sense_bad_field);
        return;
    }
    if (!first) {
        len += put_profiles(unit, out + len);
    }
    for (size_t i = 0; i < G_N_ELEMENTS(features); i++) {
        bool current = feature_is_current(unit, features[i].when);

        if (features[i].code < first || (wanted == 2 && features[i].code != first) ||
            (wanted == 1 && !current)) {
            continue;
        }
        put_be16(out + len, features[i].code);
        out[len + 2] = features[i].flags | (current ? FEATURE_CURRENT : 0);
        out[len + 3] = features[i].len;
        memcpy(out + len + 4, features[i].data, features[i].len);
        len += 4 + features[i].len;
    }
    put_be32(out, len - 4);
    put_be16(out + 6, current_profile(unit));
    scsi_send(req, out, len);
}

/* ---- events: MMC-5 6.7 ---- */

enum { EVENT_CLASS_MEDIA = 4, EVENT_NONE_AVAILABLE = 0x80 };
enum { MEDIA_TRAY_OPEN = 0x01, MEDIA_PRESENT = 0x02 };

void scsi_cmd_get_event(ScsiRequest *req)
{
    static const uint8_t codes[] = {
        [SCSI_MEDIA_SAME] = 0, [SCSI_MEDIA_EJECT_REQUEST] = 1, [SCSI_MEDIA_NEW] = 2,
        [SCSI_MEDIA_REMOVED] = 3,
    };
    ScsiUnit *unit = req->unit;
    uint8_t out[8] = { 0, 0, 0, 1 << EVENT_CLASS_MEDIA };
    size_t len = 4;

    if (!(req->cdb[1] & 0x01)) {
        scsi_fail(req, sense_bad_field);            /* events that come by themselves */
        return;
    }
    if (req->cdb[4] & 1 << EVENT_CLASS_MEDIA) {
        out[2] = EVENT_CLASS_MEDIA;
        out[4] = codes[unit->media_event];
        out[5] = (unit->tray_open ? MEDIA_TRAY_OPEN : 0) |
                 (scsi_unit_has_medium(unit) ? MEDIA_PRESENT : 0);
        len = 8;
        if (req->len >= len) {
            unit->media_event = SCSI_MEDIA_SAME;
        }
    } else {
        out[2] = EVENT_NONE_AVAILABLE;
    }
    put_be16(out, len - 2);
    scsi_send(req, out, len);
}

/* ---- the disc and the mechanism ---- */

void scsi_cmd_disc_information(ScsiRequest *req)
{
    uint8_t out[34] = { 0 };

    if (req->cdb[1] & 0x07) {
        scsi_fail(req, sense_bad_field);
        return;
    }
    put_be16(out, sizeof(out) - 2);
    out[2] = 0x0e;                                  /* complete, and so is its last session */
    out[3] = out[4] = out[5] = out[6] = 1;          /* one session with one track */
    out[7] = 0x20;                                  /* unrestricted use */
    scsi_send(req, out, sizeof(out));
}

void scsi_cmd_mechanism_status(ScsiRequest *req)
{
    uint8_t out[8] = { 0 };

    out[1] = req->unit->tray_open ? 0x10 : 0;
    out[5] = 1;                                     /* slots */
    scsi_send(req, out, sizeof(out));
}

/* ---- DVD structures: MMC-5 6.22, MMC-5 table 403 for the physical format ---- */

enum { STRUCTURE_PHYSICAL = 0x00, STRUCTURE_COPYRIGHT = 0x01, STRUCTURE_MANUFACTURER = 0x04,
       STRUCTURE_LIST = 0xff };

#define DVD_FIRST_SECTOR 0x30000

static size_t put_structure(const ScsiUnit *unit, uint8_t format, uint8_t *out)
{
    static const struct { uint8_t format; uint16_t len; } list[] = {
        { STRUCTURE_PHYSICAL, 2052 }, { STRUCTURE_COPYRIGHT, 8 }, { STRUCTURE_MANUFACTURER, 2052 },
    };

    switch (format) {
    case STRUCTURE_PHYSICAL:
        out[4] = 0x01;                              /* DVD-ROM, version 1 */
        out[5] = 0x0f;                              /* 120 mm, speed not told */
        out[6] = 0x01;                              /* one layer, embossed */
        put_be32(out + 8, DVD_FIRST_SECTOR);
        put_be32(out + 12, DVD_FIRST_SECTOR + MIN(scsi_unit_blocks(unit) - 1, 0xffffff));
        return 2052;
    case STRUCTURE_COPYRIGHT:
        return 8;
    case STRUCTURE_MANUFACTURER:
        return 2052;
    case STRUCTURE_LIST:
        for (size_t i = 0; i < G_N_ELEMENTS(list); i++) {
            out[4 + 4 * i] = list[i].format;
            out[5 + 4 * i] = 0x40;                  /* can be read */
            put_be16(out + 6 + 4 * i, list[i].len);
        }
        return 4 + 4 * G_N_ELEMENTS(list);
    }
    return 0;
}

void scsi_cmd_disc_structure(ScsiRequest *req)
{
    uint8_t out[2052] = { 0 }, format = req->cdb[7];

    if (req->cdb[1] & 0x0f) {
        scsi_fail(req, sense_bad_field);            /* Blu-ray */
        return;
    }
    if (format != STRUCTURE_LIST && !scsi_unit_has_medium(req->unit)) {
        scsi_fail(req, sense_no_medium);
        return;
    }
    if (format != STRUCTURE_LIST && !scsi_cd_is_dvd(req->unit)) {
        scsi_fail(req, sense_wrong_medium);
        return;
    }
    size_t len = put_structure(req->unit, format, out);
    if (!len) {
        scsi_fail(req, sense_bad_field);
        return;
    }
    put_be16(out, len - 2);
    scsi_send(req, out, len);
}
