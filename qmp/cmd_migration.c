/*
 * What clients ask about migration, and set, before they try.  Machines cannot be migrated, as
 * query-migrate says; what is asked of migrations to come is kept all the same.
 */
#include "qmp_api.h"
#include "vm.h"

static bool capabilities[QMP_MIGRATION_CAPABILITY_EVENTS + 1];

GPtrArray *qmp_query_migrate_capabilities(Vm *vm, GError **error)
{
    GPtrArray *list = qmp_migration_capability_status_list_new();

    for (unsigned i = 0; i < G_N_ELEMENTS(capabilities); i++) {
        QmpMigrationCapabilityStatus *status = g_new0(QmpMigrationCapabilityStatus, 1);

        status->capability = i;
        status->state = capabilities[i];
        g_ptr_array_add(list, status);
    }
    return list;
}

bool qmp_migrate_set_capabilities(Vm *vm, const GPtrArray *wanted, GError **error)
{
    for (guint i = 0; i < wanted->len; i++) {
        const QmpMigrationCapabilityStatus *status = g_ptr_array_index(wanted, i);

        capabilities[status->capability] = status->state;
    }
    return true;
}

QmpMigrationInfo *qmp_query_migrate(Vm *vm, GError **error)
{
    QmpMigrationInfo *info = g_new0(QmpMigrationInfo, 1);

    info->blocked_reasons = g_ptr_array_new_with_free_func(g_free);
    g_ptr_array_add(info->blocked_reasons, g_strdup("this program cannot migrate machines"));
    return info;
}
