/* How a viewer gets in: RFC 6143, sections 7.1 to 7.3. */
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "bytes.h"
#include "lock.h"
#include "vnc_viewer.h"

enum { VERSION_SIZE = 12, CHALLENGE_SIZE = 16 };
enum { SECURITY_NONE = 1, SECURITY_VNC = 2 };

static bool write_u32(VncViewer *viewer, uint32_t value)
{
    uint8_t bytes[4];

    put_be32(bytes, value);
    return vnc_viewer_write(viewer, bytes, sizeof(bytes));
}

/*
 * Minor version 3, 7 or 8; 0: it is no viewer.  Any other number means 3, as section 7.1.1 has it
 * for those some viewers send.
 */
static unsigned agree_on_version(VncViewer *viewer)
{
    static const char ours[] = "RFB 003.008\n";
    char theirs[VERSION_SIZE + 1] = "";
    unsigned major, minor;

    if (!vnc_viewer_write(viewer, ours, VERSION_SIZE) ||
        !vnc_viewer_read(viewer, theirs, VERSION_SIZE) ||
        sscanf(theirs, "RFB %3u.%3u\n", &major, &minor) != 2 || major != 3) {
        return 0;
    }
    return minor == 7 || minor == 8 ? minor : 3;
}

/* 7.1.2: before 3.7 the server decides. */
static bool agree_on_security(VncViewer *viewer, unsigned minor, uint8_t type)
{
    uint8_t offer[] = { 1, type }, choice;

    if (minor < 7) {
        return write_u32(viewer, type);
    }
    return vnc_viewer_write(viewer, offer, sizeof(offer)) &&
           vnc_viewer_read(viewer, &choice, 1) && choice == type;
}

/* 7.2.2 and 7.1.3 */
static bool authenticate(VncViewer *viewer, unsigned minor)
{
    static const char reason[] = "Authentication failed";
    uint8_t challenge[CHALLENGE_SIZE], response[CHALLENGE_SIZE];

    if (getrandom(challenge, sizeof(challenge), 0) != sizeof(challenge) ||
        !vnc_viewer_write(viewer, challenge, sizeof(challenge)) ||
        !vnc_viewer_read(viewer, response, sizeof(response))) {
        return false;
    }
    if (vnc_screen_check_password(viewer, challenge, response)) {
        return write_u32(viewer, 0);
    }
    if (write_u32(viewer, 1) && minor >= 8 && write_u32(viewer, strlen(reason))) {
        vnc_viewer_write(viewer, reason, strlen(reason));
    }
    return false;
}

static bool pass_security(VncViewer *viewer, unsigned minor)
{
    bool ask = vnc_screen_config(viewer->screen)->need_password && !viewer->trusted;

    if (!agree_on_security(viewer, minor, ask ? SECURITY_VNC : SECURITY_NONE)) {
        return false;
    }
    return ask ? authenticate(viewer, minor) : minor < 8 || write_u32(viewer, 0);
}

static void put_pixel_format(uint8_t out[16], const rfbPixelFormat *format)
{
    memset(out, 0, 16);
    out[0] = format->bitsPerPixel;
    out[1] = format->depth;
    out[3] = 1;                                 /* true color */
    put_be16(out + 4, format->redMax);
    put_be16(out + 6, format->greenMax);
    put_be16(out + 8, format->blueMax);
    out[10] = format->redShift;
    out[11] = format->greenShift;
    out[12] = format->blueShift;
}

/* 7.3.2 */
static bool describe_screen(VncViewer *viewer)
{
    g_autofree char *name = NULL;
    uint8_t init[24];

    machine_lock();
    name = vnc_screen_name(viewer->screen);
    machine_unlock();
    g_mutex_lock(&viewer->lock);
    viewer->width = viewer->picture->width;
    viewer->height = viewer->picture->height;
    viewer->news &= ~VNC_NEWS_SIZE;
    vnc_tiles_fill(viewer->dirty);
    g_mutex_unlock(&viewer->lock);
    put_be16(init, viewer->width);
    put_be16(init + 2, viewer->height);
    put_pixel_format(init + 4, &viewer->rfb->serverFormat);
    put_be32(init + 20, strlen(name));
    return vnc_viewer_write(viewer, init, sizeof(init)) &&
           vnc_viewer_write(viewer, name, strlen(name));
}

bool vnc_viewer_login(VncViewer *viewer)
{
    unsigned minor = agree_on_version(viewer);
    uint8_t shared;
    bool admitted;

    if (minor == 0 || !pass_security(viewer, minor) || !vnc_viewer_read(viewer, &shared, 1)) {
        return false;
    }
    machine_lock();
    admitted = vnc_screen_admit(viewer, shared != 0);
    machine_unlock();
    return admitted && describe_screen(viewer);
}
