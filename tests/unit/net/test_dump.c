/* filter-dump: the bytes of its file. */
#include <glib/gstdio.h>
#include <unistd.h>

#include "check_main.h"
#include "dump.h"
#include "net_probe.h"
#include "pcap.h"

START_TEST(headers)
{
    static const uint8_t file[PCAP_HEADER_LEN] = {
        0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1, 0, 0, 0,
    };
    static const uint8_t record[PCAP_RECORD_LEN] = {
        5, 0, 0, 0, 7, 0, 0, 0, 60, 0, 0, 0, 100, 0, 0, 0,
    };
    uint8_t buf[PCAP_HEADER_LEN];

    pcap_header(buf, 65536);
    ck_assert_mem_eq(buf, file, sizeof(file));
    pcap_record(buf, 5 * NS_PER_SEC + 7999, 60, 100);
    ck_assert_mem_eq(buf, record, sizeof(record));
}
END_TEST

static const ObjectType *const types[] = { &filter_dump_type, NULL };

static const struct { const char *queue; unsigned header; const char *packets[3]; } dumps[] = {
    { "all", 0, { "abcdefgh", "back" } },
    { "rx", 0, { "abcdefgh" } },
    { "tx", 0, { "back" } },
    { "all", 2, { "cdefgh", "ck" } },
};

/* Packets a NIC and a back end send each other, of which at most 5 bytes are kept. */
START_TEST(dump_row)
{
    Probe *nic = probe_new("nic"), *end = probe_new("end");
    g_autofree char *path = NULL, *text = NULL, *options = NULL;
    g_autoptr(KeyVal) kv = NULL;
    GError *error = NULL;
    size_t len, at = PCAP_HEADER_LEN;
    Vm vm = { 0 };

    close(g_file_open_tmp("dump-XXXXXX", &path, NULL));
    net_plug(&nic->client, &end->client);
    nic->client.header_len = end->client.header_len = dumps[_i].header;
    user_object_types_set(types);
    options = g_strdup_printf("filter-dump,id=d,netdev=end,file=%s,queue=%s,maxlen=5", path,
                              dumps[_i].queue);
    kv = keyval_parse(options, "qom-type", NULL);
    ck_assert_msg(user_object_new(&vm, kv, &error) != NULL, "%s", error ? error->message : "");
    probe_send(nic, "abcdefgh");
    probe_send(end, "back");
    ck_assert(user_object_del("d", NULL));
    probe_send(end, "unseen");
    ck_assert(g_file_get_contents(path, &text, &len, NULL));
    for (unsigned i = 0; dumps[_i].packets[i] != NULL; i++) {
        uint32_t full = strlen(dumps[_i].packets[i]), kept = MIN(full, 5), sizes[2];

        ck_assert_uint_le(at + PCAP_RECORD_LEN + kept, len);
        memcpy(sizes, text + at + 8, 8);
        ck_assert_uint_eq(sizes[0], kept);
        ck_assert_uint_eq(sizes[1], full);
        ck_assert_mem_eq(text + at + PCAP_RECORD_LEN, dumps[_i].packets[i], kept);
        at += PCAP_RECORD_LEN + kept;
    }
    ck_assert_uint_eq(at, len);
    g_unlink(path);
}
END_TEST

static const struct { const char *options, *error; } refused[] = {
    { "id=d", "filter-dump: property 'netdev' has not been set" },
    { "id=d,netdev=end", "filter-dump: property 'file' has not been set" },
    { "id=d,netdev=ende,file=/nowhere/x", "Parameter 'netdev' expects a network backend id" },
    { "id=d,netdev=end,file=/nowhere/x",
      "net dump: can't open /nowhere/x: No such file or directory" },
    { "id=d,netdev=end,queue=both", "Parameter 'queue' does not accept value 'both'" },
};

START_TEST(refused_row)
{
    g_autofree char *options = g_strconcat("filter-dump,", refused[_i].options, NULL);
    g_autoptr(KeyVal) kv = keyval_parse(options, "qom-type", NULL);
    g_auto(GStrv) lines = NULL;
    GError *error = NULL;
    Vm vm = { 0 };

    probe_new("end");
    user_object_types_set(types);
    ck_assert_ptr_null(user_object_new(&vm, kv, &error));
    lines = g_strsplit(error->message, "\n", 2);
    ck_assert_str_eq(lines[0], refused[_i].error);
    g_error_free(error);
}
END_TEST

/* A dump outlives its back end, and sees nothing more. */
START_TEST(the_back_end_goes_first)
{
    Probe *end = probe_new("end");
    g_autoptr(KeyVal) kv = keyval_parse("filter-dump,id=d,netdev=end,file=/dev/null", "qom-type",
                                        NULL);
    Vm vm = { 0 };

    user_object_types_set(types);
    ck_assert_ptr_nonnull(user_object_new(&vm, kv, NULL));
    net_client_free(&end->client);
    ck_assert(user_object_del("d", NULL));
}
END_TEST

CHECK_MAIN("dump", CASE(headers), CASES(dump_row, dumps), CASES(refused_row, refused),
           CASE(the_back_end_goes_first))
