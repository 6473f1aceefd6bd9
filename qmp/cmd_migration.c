/* What clients ask about migration before they try. */
#include "qmp_api.h"
#include "vm.h"

GPtrArray *qmp_query_migrate_capabilities(Vm *vm, GError **error)
{
    return qmp_migration_capability_status_list_new();
}

QmpMigrationInfo *qmp_query_migrate(Vm *vm, GError **error)
{
    QmpMigrationInfo *info = g_new0(QmpMigrationInfo, 1);

    info->blocked_reasons = g_ptr_array_new_with_free_func(g_free);
    g_ptr_array_add(info->blocked_reasons, g_strdup("this program cannot migrate machines"));
    return info;
}
