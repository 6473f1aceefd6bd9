/* Telling, once, of a write that ends behind an offset: time to make the image's room larger. */
#include "context.h"
#include "rhea_error.h"

/* On its way to the main loop, which alone may emit. */
typedef struct Notice {
    BlockWork work;
    Vm *vm;
    char *node_name;
    uint64_t threshold, exceeded;
} Notice;

static void notice_finished(BlockWork *work)
{
    Notice *notice = (Notice *)work;
    VmEvent event = {
        .kind = VM_EVENT_BLOCK_WRITE_THRESHOLD, .node_name = notice->node_name,
        .threshold_bytes = notice->threshold, .exceeded_bytes = notice->exceeded,
    };

    vm_emit(notice->vm, &event);
    g_free(notice->node_name);
    g_free(notice);
}

void block_write_threshold_passed(BlockNode *node, uint64_t threshold, uint64_t end)
{
    Notice *notice;

    if (!__atomic_compare_exchange_n(&node->write_threshold, &threshold, 0, false,
                                     __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) {
        return;                                 /* another write was first */
    }
    notice = g_new0(Notice, 1);
    notice->work.finished = notice_finished;
    notice->vm = node->threshold_vm;
    notice->node_name = g_strdup(node->name);
    notice->threshold = threshold;
    notice->exceeded = end - threshold;
    block_context_defer(block_context_main(), &notice->work);
}

bool block_node_set_write_threshold(Vm *vm, const char *node_name, uint64_t threshold,
                                    GError **error)
{
    BlockNode *node = block_node_find(node_name);

    if (node == NULL) {
        set_error(error, "Device '%s' not found", node_name);
        return false;
    }
    if (!node->driver->protocol) {
        set_error(error, "Writes are watched where they arrive: in node '%s', the file of '%s'",
                  node->file->name, node->name);
        return false;
    }
    node->threshold_vm = vm;
    __atomic_store_n(&node->write_threshold, threshold, __ATOMIC_RELEASE);
    return true;
}
