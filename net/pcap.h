/* Files of packets, in the format of libpcap (draft-ietf-opsawg-pcap): pure functions. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#define PCAP_HEADER_LEN 24
#define PCAP_RECORD_LEN 16

void pcap_header(uint8_t buf[PCAP_HEADER_LEN], uint32_t snap_len);
/* What stands before a packet of which `kept` of `len` bytes are in the file. */
void pcap_record(uint8_t buf[PCAP_RECORD_LEN], int64_t wall_ns, uint32_t kept, uint32_t len);
