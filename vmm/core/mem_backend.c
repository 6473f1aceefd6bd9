#include "mem_backend.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <linux/magic.h>
#include <unistd.h>

#include "rhea_error.h"
#include "sizes.h"
#include "vm_core.h"

enum { POLICY_DEFAULT, POLICY_PREFERRED, POLICY_BIND, POLICY_INTERLEAVE };
const char *const mem_policy_names[] = { "default", "preferred", "bind", "interleave", NULL };

/* ---- checks ---- */

static bool check_config(const MemBackend *backend, GError **error)
{
    if (backend->size == 0) {
        set_error(error, "Parameter 'size' is missing");
        return false;
    }
    if (backend->policy != POLICY_DEFAULT || backend->host_nodes != NULL) {
        set_error(error, "memory placement is not supported: leave out %s",
                  backend->host_nodes != NULL ? "'host-nodes'" : "'policy', or say 'default'");
        return false;
    }
    if (backend->prealloc_threads == 0) {
        set_error(error, "property 'prealloc-threads' of %s doesn't take value '0'",
                  backend->obj.type->name);
        return false;
    }
    if (backend->align & (backend->align - 1) || backend->align > GIB) {
        set_error(error, "alignment 0x%" PRIx64 " must be a power of two, at most 1 GiB",
                  backend->align);
        return false;
    }
    if (backend->pmem) {
        set_error(error, "persistent memory is not supported: 'pmem' must be off");
        return false;
    }
    return true;
}

/* Files on hugetlbfs come in their pages alone. */
static bool check_page_size(const MemBackend *backend, int fd, uint64_t *align, GError **error)
{
    struct statfs fs;
    uint64_t page;

    if (fstatfs(fd, &fs) != 0 || fs.f_type != HUGETLBFS_MAGIC) {
        return true;
    }
    page = fs.f_bsize;
    *align = MAX(*align, page);
    if (backend->size % page != 0) {
        set_error(error, "memory size 0x%" PRIx64 " must be a multiple of the page size 0x%" PRIx64
                  " of '%s'", backend->size, page,
                  backend->mem_path != NULL ? backend->mem_path : "hugetlb");
        return false;
    }
    return true;
}

/* Takes the descriptor. */
static bool make_ram(MemBackend *backend, int fd, GError **error)
{
    g_autofree char *path = NULL;
    RamSource source = {
        .size = backend->size, .fd = fd, .align = backend->align, .shared = backend->share,
        .readonly = backend->readonly, .no_reserve = !backend->reserve,
        .no_dump = !backend->dump, .mergeable = backend->merge, .prealloc = backend->prealloc,
        .prealloc_threads = backend->prealloc_threads,
    };

    if (fd >= 0 && !check_page_size(backend, fd, &source.align, error)) {
        close(fd);
        return false;
    }
    path = g_strdup_printf("/objects/%s", backend->obj.id);
    source.name = backend->canonical_name ? path : backend->obj.id;
    backend->ram = ram_block_new_from(&source, error);
    if (backend->ram == NULL) {
        if (fd >= 0) {
            close(fd);
        }
        return false;
    }
    mem_region_init_ram_block(&backend->region, &backend->obj.obj, backend->obj.id, backend->ram);
    mem_region_set_readonly(&backend->region, backend->readonly);
    return true;
}

static bool ram_complete(UserObject *obj, GError **error)
{
    MemBackend *backend = OBJECT_CAST(obj, MemBackend);

    return check_config(backend, error) && make_ram(backend, -1, error);
}

/* ---- files ---- */

/* A nameless file in a folder (typically a hugetlbfs mount). */
static int open_in_folder(const MemBackend *backend, GError **error)
{
    g_autofree char *path = g_strdup_printf("%s/rhea_%s.XXXXXX", backend->mem_path, backend->obj.id);
    int fd = mkostemp(path, O_CLOEXEC);

    if (fd < 0) {
        set_errno_error(error, errno, "can't open backing store %s for guest RAM",
                        backend->mem_path);
        return -1;
    }
    unlink(path);
    return fd;
}

static int open_file(const MemBackend *backend, bool *created, GError **error)
{
    int mode = backend->readonly ? O_RDONLY : O_RDWR;
    int fd = open(backend->mem_path, mode | O_CLOEXEC);
    struct stat st;

    *created = false;
    if (fd < 0 && errno == ENOENT && !backend->readonly) {
        fd = open(backend->mem_path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
        *created = fd >= 0;
    }
    if (fd < 0 && errno == EISDIR) {
        return open_in_folder(backend, error);
    }
    if (fd < 0) {
        set_errno_error(error, errno, "can't open backing store %s for guest RAM",
                        backend->mem_path);
        return -1;
    }
    if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode)) {
        close(fd);
        return open_in_folder(backend, error);
    }
    return fd;
}

static bool fit_file(const MemBackend *backend, int fd, GError **error)
{
    off_t have = lseek(fd, 0, SEEK_END);

    if (have > 0 && (uint64_t)have < backend->size) {
        set_error(error, "backing store size 0x%" PRIx64 " does not match 'size' option 0x%" PRIx64,
                  (uint64_t)have, backend->size);
        return false;
    }
    if (have == 0 && ftruncate(fd, backend->size) != 0) {
        set_errno_error(error, errno, "cannot make '%s' 0x%" PRIx64 " bytes long",
                        backend->mem_path, backend->size);
        return false;
    }
    return true;
}

static bool file_complete(UserObject *obj, GError **error)
{
    MemBackend *backend = OBJECT_CAST(obj, MemBackend);
    bool created, ok;
    int fd;

    if (!check_config(backend, error)) {
        return false;
    }
    if (backend->mem_path == NULL || *backend->mem_path == '\0') {
        set_error(error, "Parameter 'mem-path' is missing");
        return false;
    }
    if (backend->readonly && backend->share) {
        set_error(error, "a read-only file cannot be shared memory: 'share' must be off");
        return false;
    }
    fd = open_file(backend, &created, error);
    if (fd < 0) {
        return false;
    }
    ok = fit_file(backend, fd, error);
    if (!ok) {
        close(fd);
    }
    ok = ok && make_ram(backend, fd, error);
    if (!ok && created) {
        unlink(backend->mem_path);
    }
    return ok;
}

/* ---- memfd ---- */

static bool memfd_complete(UserObject *obj, GError **error)
{
    MemBackend *backend = OBJECT_CAST(obj, MemBackend);
    unsigned flags = MFD_CLOEXEC | (backend->seal ? MFD_ALLOW_SEALING : 0) |
                     (backend->hugetlb ? MFD_HUGETLB : 0);
    int fd;

    if (!check_config(backend, error)) {
        return false;
    }
    if (backend->hugetlb_size != 0 && !backend->hugetlb) {
        set_error(error, "'hugetlbsize' needs 'hugetlb=on'");
        return false;
    }
    if (backend->hugetlb_size & (backend->hugetlb_size - 1)) {
        set_error(error, "'hugetlbsize' must be a power of two");
        return false;
    }
    if (backend->hugetlb_size != 0) {
        flags |= (unsigned)(g_bit_storage(backend->hugetlb_size) - 1) << MAP_HUGE_SHIFT;
    }
    fd = memfd_create("memory-backend-memfd", flags);
    if (fd < 0) {
        set_errno_error(error, errno, "failed to create memfd");
        return false;
    }
    if (ftruncate(fd, backend->size) != 0 ||
        (backend->seal && fcntl(fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) != 0)) {
        set_errno_error(error, errno, "failed to size memfd");
        close(fd);
        return false;
    }
    return make_ram(backend, fd, error);
}

/* ---- all of them ---- */

static void backend_finish(UserObject *obj)
{
    MemBackend *backend = OBJECT_CAST(obj, MemBackend);

    if (backend->ram == NULL) {
        return;
    }
    if (backend->discard_data) {
        madvise(backend->ram->host, backend->ram->size_bytes, MADV_REMOVE);
    }
    mem_region_finish(&backend->region);
    backend->ram = NULL;
}

static bool backend_is_idle(const UserObject *obj)
{
    return !OBJECT_CAST(obj, const MemBackend)->mapped;
}

MemBackend *mem_backend_find(const char *id)
{
    UserObject *obj = user_object_find(id);

    return obj != NULL && g_strcmp0(obj->type->base, MEMORY_BACKEND) == 0
               ? OBJECT_CAST(obj, MemBackend) : NULL;
}

static MemBackend *default_backend(Vm *vm, const char *name, GError **error)
{
    const VmConfig *config = &vm->config;
    const ObjectType *type = config->mem_path != NULL ? &mem_backend_file_type
                                                      : &mem_backend_ram_type;
    g_autoptr(KeyVal) kv = keyval_new();
    g_autofree char *size = g_strdup_printf("%" PRIu64, config->ram_bytes);

    keyval_add(kv, "size", size);
    keyval_add(kv, "x-use-canonical-path-for-ramblock-id", "off");
    keyval_add(kv, "prealloc", config->mem_prealloc ? "on" : "off");
    keyval_add(kv, "dump", config->dump_guest_core ? "on" : "off");
    keyval_add(kv, "merge", config->mem_merge ? "on" : "off");
    if (config->mem_path != NULL) {
        keyval_add(kv, "mem-path", config->mem_path);
    }
    return (MemBackend *)user_object_new_typed(vm, type, name, kv, error);
}

MemBackend *mem_backend_for_machine(Vm *vm, const char *name, GError **error)
{
    const char *id = vm->config.mem_backend;
    MemBackend *backend;

    if (id == NULL) {
        backend = default_backend(vm, name, error);
    } else {
        backend = mem_backend_find(id);
        if (backend == NULL) {
            set_error(error, "Memory backend '%s' not found", id);
        } else if (backend->mapped) {
            set_error(error, "memory backend '%s' is in use already", id);
            backend = NULL;
        }
    }
    if (backend != NULL) {
        backend->mapped = true;
    }
    return backend;
}

static const Property backend_props[] = {
    PROP_SIZE(MemBackend, size, .name = "size", .help = "bytes (500M)"),
    PROP_BOOL(MemBackend, prealloc, .name = "prealloc", .help = "take the memory at once"),
    PROP_UINT32(MemBackend, prealloc_threads, .name = "prealloc-threads", .def = 1,
                .help = "threads that do so"),
    PROP_BOOL(MemBackend, reserve, .name = "reserve", .def = true,
              .help = "set swap space aside"),
    PROP_BOOL(MemBackend, dump, .name = "dump", .def = true, .help = "part of core dumps"),
    PROP_BOOL(MemBackend, merge, .name = "merge", .def = true,
              .help = "the host may merge pages that are the same"),
    PROP_ENUM(MemBackend, policy, .name = "policy", .names = mem_policy_names,
              .help = "placement on NUMA nodes: default"),
    PROP_STRING(MemBackend, host_nodes, .name = "host-nodes", .help = "NUMA nodes: refused"),
    PROP_BOOL(MemBackend, canonical_name, .name = "x-use-canonical-path-for-ramblock-id",
              .help = "name the memory after the object's path"),
    {}
};

#define SHARE_PROP(default_) \
    PROP_BOOL(MemBackend, share, .name = "share", .def = default_, \
              .help = "other processes see what the guest writes")

static const Property ram_props[] = { SHARE_PROP(false), {} };

static const Property file_props[] = {
    SHARE_PROP(false),
    PROP_STRING(MemBackend, mem_path, .name = "mem-path",
                .help = "file, or folder for a nameless one"),
    PROP_SIZE(MemBackend, align, .name = "align", .help = "alignment in the process"),
    PROP_BOOL(MemBackend, discard_data, .name = "discard-data",
              .help = "the file's contents need not be kept"),
    PROP_BOOL(MemBackend, readonly, .name = "readonly", .help = "open the file for reading alone"),
    PROP_BOOL(MemBackend, pmem, .name = "pmem", .help = "persistent memory: refused"),
    {}
};

static const Property memfd_props[] = {
    PROP_BOOL(MemBackend, hugetlb, .name = "hugetlb", .help = "use huge pages"),
    PROP_SIZE(MemBackend, hugetlb_size, .name = "hugetlbsize", .help = "their size (2M, 1G)"),
    PROP_BOOL(MemBackend, seal, .name = "seal", .def = true, .help = "its size is final"),
    SHARE_PROP(true),
    {}
};

const ObjectType mem_backend_ram_type = {
    .name = "memory-backend-ram", .base = MEMORY_BACKEND, .help = "anonymous memory",
    .size = sizeof(MemBackend), .props = ram_props, .base_props = backend_props,
    .complete = ram_complete,
    .finish = backend_finish, .can_be_deleted = backend_is_idle,
};

const ObjectType mem_backend_file_type = {
    .name = "memory-backend-file", .base = MEMORY_BACKEND, .help = "memory that is a file",
    .size = sizeof(MemBackend), .props = file_props, .base_props = backend_props,
    .complete = file_complete, .finish = backend_finish, .can_be_deleted = backend_is_idle,
};

const ObjectType mem_backend_memfd_type = {
    .name = "memory-backend-memfd", .base = MEMORY_BACKEND, .help = "memory other processes can be "
            "handed",
    .size = sizeof(MemBackend), .props = memfd_props, .base_props = backend_props,
    .complete = memfd_complete, .finish = backend_finish, .can_be_deleted = backend_is_idle,
};
