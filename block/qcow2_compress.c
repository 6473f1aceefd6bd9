/* qcow2: the two ways a cluster can be compressed: raw deflate with a 4 KiB window, and zstd. */
#include <errno.h>
#include <zlib.h>
#include <zstd.h>

#include "qcow2_internal.h"

#define WINDOW_BITS (-12)               /* negative: no zlib header */

static gssize deflate_cluster(void *out, size_t out_size, const void *in, size_t len)
{
    z_stream stream = { .next_in = (Bytef *)in, .avail_in = len, .next_out = out,
                        .avail_out = out_size };
    int ret = deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, WINDOW_BITS, 9,
                           Z_DEFAULT_STRATEGY);

    if (ret != Z_OK) {
        return -ENOMEM;
    }
    ret = deflate(&stream, Z_FINISH);
    deflateEnd(&stream);
    return ret == Z_STREAM_END ? (gssize)(out_size - stream.avail_out) : -ENOSPC;
}

/* The input may go on behind the data; what counts is that a whole cluster comes out. */
static int inflate_cluster(void *out, size_t out_size, const void *in, size_t len)
{
    z_stream stream = { .next_in = (Bytef *)in, .avail_in = len, .next_out = out,
                        .avail_out = out_size };
    int ret = inflateInit2(&stream, WINDOW_BITS);

    if (ret != Z_OK) {
        return -ENOMEM;
    }
    ret = inflate(&stream, Z_FINISH);
    inflateEnd(&stream);
    return (ret == Z_STREAM_END || ret == Z_BUF_ERROR) && stream.avail_out == 0 ? 0 : -EIO;
}

static gssize zstd_compress_cluster(void *out, size_t out_size, const void *in, size_t len)
{
    size_t n = ZSTD_compress(out, out_size, in, len, 0);

    return ZSTD_isError(n) ? -ENOSPC : (gssize)n;
}

static int zstd_decompress_cluster(void *out, size_t out_size, const void *in, size_t len)
{
    ZSTD_DStream *stream = ZSTD_createDStream();
    ZSTD_inBuffer input = { in, len, 0 };
    ZSTD_outBuffer output = { out, out_size, 0 };

    if (stream == NULL) {
        return -ENOMEM;
    }
    while (output.pos < output.size) {
        size_t before = output.pos, taken = input.pos;
        size_t n = ZSTD_decompressStream(stream, &output, &input);

        if (ZSTD_isError(n) || (output.pos == before && input.pos == taken)) {
            break;
        }
    }
    ZSTD_freeDStream(stream);
    return output.pos == output.size ? 0 : -EIO;
}

gssize qcow2_compress(Qcow2Compression type, void *out, size_t out_size, const void *in, size_t len)
{
    return type == QCOW2_ZSTD ? zstd_compress_cluster(out, out_size, in, len)
                              : deflate_cluster(out, out_size, in, len);
}

int qcow2_decompress(Qcow2Compression type, void *out, size_t out_size, const void *in, size_t len)
{
    return type == QCOW2_ZSTD ? zstd_decompress_cluster(out, out_size, in, len)
                              : inflate_cluster(out, out_size, in, len);
}
