/*
 * Output kept in a ring in memory, the oldest bytes giving way; read back by
 * chardev_ringbuf_read().
 */
#include <string.h>

#include "backend.h"

#define RINGBUF_DEFAULT_SIZE    65536
#define RINGBUF_MAX_SIZE        (64 * 1024 * 1024)

typedef struct CharRingbuf {
    Chardev chr;
    uint8_t *ring;                          /* write_lock */
    size_t size;                            /* a power of two */
    uint64_t head, tail;                    /* write_lock; bytes ever written and read */
} CharRingbuf;

static bool ringbuf_open(Chardev *chr, const CharOpts *opts, GError **error)
{
    CharRingbuf *rb = (CharRingbuf *)chr;
    uint64_t size = char_opts_number(opts, "size", RINGBUF_DEFAULT_SIZE);

    if (size == 0 || (size & (size - 1)) != 0) {
        set_error(error, "size of ringbuf chardev must be power of two");
        return false;
    }
    if (size > RINGBUF_MAX_SIZE) {
        set_error(error, "size of ringbuf chardev must be at most %d bytes", RINGBUF_MAX_SIZE);
        return false;
    }
    rb->size = size;
    rb->ring = g_malloc(size);
    chr->open = true;
    return true;
}

static void ringbuf_close(Chardev *chr)
{
    g_free(((CharRingbuf *)chr)->ring);
}

static size_t ringbuf_write(Chardev *chr, const uint8_t *buf, size_t len)
{
    CharRingbuf *rb = (CharRingbuf *)chr;

    for (size_t i = 0; i < len; i++) {
        rb->ring[rb->head++ & (rb->size - 1)] = buf[i];
    }
    if (rb->head - rb->tail > rb->size) {
        rb->tail = rb->head - rb->size;
    }
    return len;
}

bool chardev_is_ringbuf(const Chardev *chr)
{
    return chr->type == &chardev_ringbuf_type || chr->type == &chardev_memory_type;
}

size_t chardev_ringbuf_read(Chardev *chr, uint8_t *buf, size_t len)
{
    CharRingbuf *rb = (CharRingbuf *)chr;
    size_t done = 0;

    g_mutex_lock(&chr->write_lock);
    while (done < len && rb->tail < rb->head) {
        buf[done++] = rb->ring[rb->tail++ & (rb->size - 1)];
    }
    g_mutex_unlock(&chr->write_lock);
    return done;
}

void chardev_ringbuf_write(Chardev *chr, const uint8_t *buf, size_t len)
{
    chardev_io_write(chr, buf, len);
}

static const CharOption ringbuf_options[] = {
    { "size", CHAR_OPTION_SIZE, "bytes kept, a power of two" },
    {}
};

const ChardevType chardev_ringbuf_type = {
    .name = "ringbuf", .options = ringbuf_options, .size = sizeof(CharRingbuf),
    .open = ringbuf_open, .close = ringbuf_close, .write = ringbuf_write,
};

/* The older name. */
const ChardevType chardev_memory_type = {
    .name = "memory", .options = ringbuf_options, .size = sizeof(CharRingbuf),
    .open = ringbuf_open, .close = ringbuf_close, .write = ringbuf_write,
};
