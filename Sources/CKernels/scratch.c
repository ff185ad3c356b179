// The scratch memory of each thread that runs kernels.
#include "internal.h"

#include <pthread.h>
#include <stdlib.h>

_Thread_local spk_scratch *spk_own_scratch;

static pthread_key_t scratch_key;
static pthread_once_t scratch_once = PTHREAD_ONCE_INIT;

static void make_key(void) { pthread_key_create(&scratch_key, free); }

spk_scratch *spk_make_scratch(void) {
    pthread_once(&scratch_once, make_key);
    void *memory = NULL;
    // Less than a megabyte, once per thread: without it there is no way to go on, nor anyone to tell.
    if (posix_memalign(&memory, 128, sizeof(spk_scratch)) != 0) { abort(); }
    memset(memory, 0, sizeof(spk_scratch));
    pthread_setspecific(scratch_key, memory);
    spk_own_scratch = memory;
    return memory;
}
