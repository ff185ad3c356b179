// The kernels for any processor. Fused multiply-adds go through the C library where the target has none: right, slow.
#include "internal.h"

#define SPK_LEVEL SPK_LEVEL_PORTABLE
#define SPK_LEVEL_NUMBER 0
#define SPK_TABLE spk_table_portable
#include "kernels.inc.h"
