/*
 * Telnet, RFC 854: the peer's commands are taken out, 255 is doubled on the way to it.  We offer to
 * echo, to suppress go-ahead and to be binary both ways, and decline everything else.
 */
#include "stream_codec.h"

enum { TELNET_SE = 240, TELNET_BREAK = 243, TELNET_SB = 250, TELNET_WILL = 251, TELNET_WONT = 252,
       TELNET_DO = 253, TELNET_DONT = 254, TELNET_IAC = 255 };
enum { OPTION_BINARY = 0, OPTION_ECHO = 1, OPTION_SUPPRESS_GO_AHEAD = 3 };

typedef enum TelnetWhere {
    IN_DATA, AFTER_IAC, AFTER_VERB, IN_SUBNEGOTIATION, IAC_IN_SUBNEGOTIATION
} TelnetWhere;

typedef struct TelnetCodec {
    StreamCodec codec;
    TelnetWhere where;
    uint8_t verb;                       /* AFTER_VERB: WILL, WONT, DO or DONT */
    bool after_cr;
} TelnetCodec;

static void telnet_greet(GByteArray *out)
{
    static const uint8_t offers[] = {
        TELNET_IAC, TELNET_WILL, OPTION_ECHO,
        TELNET_IAC, TELNET_WILL, OPTION_SUPPRESS_GO_AHEAD,
        TELNET_IAC, TELNET_WILL, OPTION_BINARY,
        TELNET_IAC, TELNET_DO, OPTION_BINARY,
    };

    g_byte_array_append(out, offers, sizeof(offers));
}

static bool is_ours(uint8_t verb, uint8_t option)
{
    return option == OPTION_BINARY ||
           (verb == TELNET_DO && (option == OPTION_ECHO || option == OPTION_SUPPRESS_GO_AHEAD));
}

/* RFC 855: what we did not offer is declined; acknowledgements of our offers need no answer. */
static void negotiate(uint8_t verb, uint8_t option, GByteArray *reply)
{
    uint8_t decline[] = { TELNET_IAC, verb == TELNET_DO ? TELNET_WONT : TELNET_DONT, option };

    if ((verb == TELNET_DO || verb == TELNET_WILL) && !is_ours(verb, option)) {
        g_byte_array_append(reply, decline, sizeof(decline));
    }
}

static void take_data(TelnetCodec *telnet, uint8_t byte, StreamDecoded *out)
{
    /* RFC 854: a bare carriage return is sent with a null behind it */
    if (!(telnet->after_cr && byte == 0)) {
        g_byte_array_append(out->payload, &byte, 1);
    }
    telnet->after_cr = byte == '\r';
}

static TelnetWhere take_command(TelnetCodec *telnet, uint8_t byte, StreamDecoded *out)
{
    switch (byte) {
    case TELNET_IAC:
        take_data(telnet, byte, out);
        return IN_DATA;
    case TELNET_WILL:
    case TELNET_WONT:
    case TELNET_DO:
    case TELNET_DONT:
        telnet->verb = byte;
        return AFTER_VERB;
    case TELNET_SB:
        return IN_SUBNEGOTIATION;
    case TELNET_BREAK:
        out->breaks++;
        return IN_DATA;
    default:
        return IN_DATA;                 /* no operation, are you there … */
    }
}

static bool telnet_decode(StreamCodec *codec, const uint8_t *in, size_t len, StreamDecoded *out)
{
    TelnetCodec *telnet = (TelnetCodec *)codec;

    for (size_t i = 0; i < len; i++) {
        switch (telnet->where) {
        case IN_DATA:
            if (in[i] == TELNET_IAC) {
                telnet->where = AFTER_IAC;
            } else {
                take_data(telnet, in[i], out);
            }
            break;
        case AFTER_IAC:
            telnet->where = take_command(telnet, in[i], out);
            break;
        case AFTER_VERB:
            negotiate(telnet->verb, in[i], out->reply);
            telnet->where = IN_DATA;
            break;
        case IN_SUBNEGOTIATION:
            telnet->where = in[i] == TELNET_IAC ? IAC_IN_SUBNEGOTIATION : IN_SUBNEGOTIATION;
            break;
        case IAC_IN_SUBNEGOTIATION:
            telnet->where = in[i] == TELNET_SE ? IN_DATA : IN_SUBNEGOTIATION;
            break;
        }
    }
    codec->ready = true;
    return true;
}

static void telnet_encode(const uint8_t *in, size_t len, GByteArray *out)
{
    static const uint8_t iac = TELNET_IAC;

    for (size_t i = 0; i < len; i++) {
        g_byte_array_append(out, &in[i], 1);
        if (in[i] == TELNET_IAC) {
            g_byte_array_append(out, &iac, 1);
        }
    }
}

const StreamCodecType telnet_codec_type = {
    .name = "telnet", .size = sizeof(TelnetCodec),
    .greet = telnet_greet, .decode = telnet_decode, .encode = telnet_encode,
};
