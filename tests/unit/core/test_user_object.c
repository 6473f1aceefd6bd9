#include <glib.h>
#include <string.h>
#include <unistd.h>

#include "check_main.h"
#include "mem_backend.h"
#include "secret.h"
#include "user_object.h"
#include "vm_core.h"

/* A lamp has a colour; a shade stands on a lamp. */
typedef struct Lamp {
    UserObject obj;
    uint32_t watts;
    bool on;
} Lamp;

typedef struct Shade {
    UserObject obj;
    UserObject *lamp;
} Shade;

static unsigned finished;

static bool lamp_complete(UserObject *obj, GError **error)
{
    g_set_error_literal(error, g_quark_from_static_string("test"), 0, "too bright");
    if (OBJECT_CAST(obj, Lamp)->watts > 100) {
        return false;
    }
    g_clear_error(error);
    return true;
}

static void lamp_finish(UserObject *obj)
{
    finished++;
}

static const Property lamp_props[] = {
    PROP_UINT32(Lamp, watts, .name = "watts", .def = 40, .help = "how bright"),
    PROP_BOOL(Lamp, on, .name = "on", .live = true),
    {}
};
static const Property shade_props[] = { PROP_LINK(Shade, lamp, "light", .name = "lamp"), {} };

static const ObjectType lamp_type = {
    .name = "lamp", .base = "light", .size = sizeof(Lamp), .props = lamp_props,
    .complete = lamp_complete, .finish = lamp_finish,
};
static const ObjectType shade_type = {
    .name = "shade", .size = sizeof(Shade), .props = shade_props,
};
static const ObjectType *const types[] = {
    &lamp_type, &shade_type, &secret_type, &mem_backend_ram_type, &mem_backend_file_type,
    &mem_backend_memfd_type, NULL
};

static Vm vm;

static void setup(void)
{
    static const DeviceType *const no_devices[] = { NULL };

    finished = 0;
    machine_lock();
    vm_core_init(&vm, g_main_context_default(), no_devices);
    user_object_types_set(types);
}

static UserObject *make(const char *text, GError **error)
{
    g_autoptr(KeyVal) kv = keyval_parse_either(text, "qom-type", error);

    return kv != NULL ? user_object_new(&vm, kv, error) : NULL;
}

static const struct { const char *text, *error; } rows[] = {
    { "lamp,id=l1,watts=60,on=on", NULL },
    { "{\"qom-type\":\"lamp\",\"id\":\"l1\",\"watts\":60,\"on\":true}", NULL },
    { "lamp", "Parameter 'id' is missing" },
    { "id=l1", "Parameter 'qom-type' is missing" },
    { "lmap,id=l1", "Parameter 'qom-type' does not accept value 'lmap'\nDid you mean 'lamp'?" },
    { "lamp,id=1l", "Parameter 'id' expects an identifier\nIdentifiers consist of letters, digits, "
                    "'-', '.', '_', starting with a letter." },
    { "lamp,id=l1,wats=1", "Invalid parameter 'wats'\nDid you mean 'watts'?" },
    { "lamp,id=l1,watts=101", "too bright" },
    { "lamp,id=there", "attempt to add duplicate property 'there' to object (type 'container')" },
    { "shade,id=s,lamp=there", NULL },
    { "shade,id=s,lamp=/objects/there", NULL },
    { "shade,id=s,lamp=gone", "Device 'gone' not found" },
    { "shade,id=s,lamp=other", "Invalid parameter type for 'lamp', expected: light" },
    { "secret,id=x,data=hush", NULL },
    { "secret,id=x,data=aHVzaA==,format=base64", NULL },
    { "secret,id=x,data=a_b,format=base64", "Base64 data contains invalid characters" },
    { "secret,id=x", "Either 'file' or 'data' must be provided" },
    { "secret,id=x,data=a,file=b", "'file' and 'data' are mutually exclusive" },
    { "secret,id=x,data=a,keyid=k", "'keyid' is not supported: an unencrypted secret is expected "
                                    "in 'data' or 'file'" },
    { "memory-backend-ram,id=m,size=64k", NULL },
    { "memory-backend-ram,id=m,size=64k,prealloc=on,prealloc-threads=4,merge=off,dump=off", NULL },
    { "memory-backend-ram,id=m", "Parameter 'size' is missing" },
    { "memory-backend-ram,id=m,size=64k,policy=bind",
      "memory placement is not supported: leave out 'policy', or say 'default'" },
    { "memory-backend-ram,id=m,size=64k,prealloc-threads=0",
      "property 'prealloc-threads' of memory-backend-ram doesn't take value '0'" },
    { "memory-backend-memfd,id=m,size=64k,seal=on", NULL },
    { "memory-backend-memfd,id=m,size=64k,hugetlbsize=2M",
      "'hugetlbsize' needs 'hugetlb=on'" },
    { "memory-backend-file,id=m,size=64k", "Parameter 'mem-path' is missing" },
    { "memory-backend-file,id=m,size=64k,mem-path=/nowhere/at/all",
      "can't open backing store /nowhere/at/all for guest RAM: No such file or directory" },
};

START_TEST(making_row)
{
    g_autoptr(GError) error = NULL;
    UserObject *obj;

    setup();
    ck_assert_ptr_nonnull(make("lamp,id=there", NULL));
    ck_assert_ptr_nonnull(make("shade,id=other", NULL));
    obj = make(rows[_i].text, &error);
    if (rows[_i].error != NULL) {
        ck_assert_ptr_null(obj);
        ck_assert_str_eq(error->message, rows[_i].error);
        ck_assert_uint_eq(object_container("/objects")->children->len, 2);
    } else {
        ck_assert_msg(obj != NULL, "%s", error != NULL ? error->message : "");
        ck_assert_ptr_eq(user_object_find(obj->id), obj);
    }
}
END_TEST

START_TEST(what_is_referred_to_stays)
{
    g_autoptr(GError) error = NULL;

    setup();
    make("lamp,id=l1", NULL);
    make("shade,id=s1,lamp=l1", NULL);
    ck_assert(!user_object_del("l1", &error));
    ck_assert_str_eq(error->message, "object 'l1' is in use, can not be deleted");
    ck_assert(user_object_del("s1", NULL));
    ck_assert(user_object_del("l1", NULL));
    ck_assert_uint_eq(finished, 1);
    g_clear_error(&error);
    ck_assert(!user_object_del("l1", &error));
    ck_assert_str_eq(error->message, "object 'l1' not found");
}
END_TEST

START_TEST(links_print_paths_and_can_move)
{
    g_autofree char *path = NULL;
    UserObject *first, *second, *shade;

    setup();
    first = make("lamp,id=l1", NULL);
    second = make("lamp,id=l2", NULL);
    shade = make("shade,id=s1,lamp=l1", NULL);
    path = property_get(&shade->obj, "lamp", NULL);
    ck_assert_str_eq(path, "/objects/l1");
    ck_assert(property_set(&shade->obj, "lamp", "l2", NULL));
    ck_assert_uint_eq(first->users, 0);
    ck_assert_uint_eq(second->users, 1);
    ck_assert(property_set(&shade->obj, "lamp", "", NULL));
    ck_assert_uint_eq(second->users, 0);
}
END_TEST

START_TEST(only_live_properties_change_later)
{
    UserObject *lamp;

    setup();
    lamp = make("lamp,id=l1", NULL);
    ck_assert(user_object_set(lamp, "on", "on", NULL));
    ck_assert(!user_object_set(lamp, "watts", "10", NULL));
    ck_assert_uint_eq(OBJECT_CAST(lamp, Lamp)->watts, 40);
}
END_TEST

static void count(UserObject *obj, void *opaque)
{
    ++*(unsigned *)opaque;
}

static const struct { const char *base; unsigned found; } kinds[] = {
    { NULL, 3 }, { "light", 2 }, { "lamp", 2 }, { "shade", 1 }, { "rng-backend", 0 },
};

START_TEST(kind_row)
{
    unsigned found = 0;

    setup();
    make("lamp,id=l1", NULL);
    make("shade,id=s1", NULL);
    make("lamp,id=l2", NULL);
    user_objects_foreach(kinds[_i].base, count, &found);
    ck_assert_uint_eq(found, kinds[_i].found);
}
END_TEST

static const struct { const char *opts, *text; } helps[] = {
    { "help", "List of user creatable objects:\n  lamp\n  memory-backend-file\n"
              "  memory-backend-memfd\n  memory-backend-ram\n  secret\n  shade\n" },
    { "lamp,help", "lamp options:\n  on=<bool>\n  watts=<uint32>         - how bright\n" },
    { "shade,help", "shade options:\n  lamp=<link<light>>\n" },
    { "lamp,id=help", NULL },
};

START_TEST(help_row)
{
    g_autofree char *text = NULL;

    setup();
    ck_assert(user_object_help(helps[_i].opts, &text, NULL));
    ck_assert_pstr_eq(text, helps[_i].text);
}
END_TEST

START_TEST(secrets_are_decoded)
{
    g_autoptr(GBytes) bytes = NULL;
    g_autofree char *data = NULL;
    UserObject *obj;
    gsize len;

    setup();
    obj = make("secret,id=x,data=aHVzaA==,format=base64", NULL);
    bytes = secret_lookup("x", NULL);
    ck_assert_ptr_nonnull(bytes);
    ck_assert_mem_eq(g_bytes_get_data(bytes, &len), "hush", 4);
    ck_assert_uint_eq(len, 4);
    data = property_get(&obj->obj, "data", NULL);
    ck_assert_str_eq(data, "");
}
END_TEST

START_TEST(a_file_holds_the_memory)
{
    g_autofree char *path = g_build_filename(g_get_tmp_dir(), "test_user_object.XXXXXX", NULL);
    g_autofree char *text = NULL, *contents = NULL;
    MemBackend *backend;
    gsize len;
    int fd;

    setup();
    fd = g_mkstemp(path);
    ck_assert_int_ge(fd, 0);
    close(fd);
    text = g_strdup_printf("memory-backend-file,id=m,size=64k,share=on,mem-path=%s", path);
    backend = OBJECT_CAST(make(text, NULL), MemBackend);
    ck_assert_ptr_nonnull(backend);
    memcpy(backend->ram->host + 100, "guest", 5);
    ck_assert(user_object_del("m", NULL));
    ck_assert(g_file_get_contents(path, &contents, &len, NULL));
    ck_assert_uint_eq(len, 65536);
    ck_assert_mem_eq(contents + 100, "guest", 5);
    unlink(path);
}
END_TEST

START_TEST(the_machines_memory_stays)
{
    g_autoptr(GError) error = NULL;
    MemBackend *backend;

    setup();
    vm.config.ram_bytes = 1 << 20;
    backend = mem_backend_for_machine(&vm, "pc.ram", NULL);
    ck_assert_ptr_nonnull(backend);
    ck_assert_str_eq(backend->ram->name, "pc.ram");
    ck_assert_uint_eq(backend->ram->size_bytes, 1 << 20);
    ck_assert(!user_object_del("pc.ram", &error));
    vm.config.mem_backend = g_strdup("pc.ram");
    g_clear_error(&error);
    ck_assert_ptr_null(mem_backend_for_machine(&vm, "other", &error));
    ck_assert_str_eq(error->message, "memory backend 'pc.ram' is in use already");
}
END_TEST

CHECK_MAIN("user_object", CASES(making_row, rows), CASE(what_is_referred_to_stays),
           CASE(links_print_paths_and_can_move), CASE(only_live_properties_change_later),
           CASES(kind_row, kinds), CASES(help_row, helps), CASE(secrets_are_decoded),
           CASE(a_file_holds_the_memory), CASE(the_machines_memory_stays))
