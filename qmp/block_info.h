/* QMP's descriptions of drives, nodes and images; new objects.  Main thread, machine lock. */
#pragma once

#include "block.h"
#include "qmp_api.h"

QmpImageInfo *qmp_image_info_of(BlockNode *node, bool with_backing);
QmpBlockDeviceInfo *qmp_block_device_info_of(BlockNode *node, bool write_cache, bool with_backing);
QmpBlockInfo *qmp_block_info_of(const BlockBackend *blk);
QmpBlockStats *qmp_block_stats_of_node(const BlockNode *node, bool with_backing);
QmpBlockStats *qmp_block_stats_of(const BlockBackend *blk);
