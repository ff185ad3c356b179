// The pool of parked threads. One 64-bit word holds generation and the tiles that are left, so that a thread that comes
// late can never claim a tile of a region it does not know; a region ends when all tiles are done, whoever did them.
// The caller takes tiles from the front and workers from the back: of regions over the same data, each finds most of what it
// works on in its own cache.
#define _GNU_SOURCE
#include "internal.h"

#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum {
    SPIN_NANOSECONDS = 20000,
    TILE_BITS = 20,
    MAX_TILES = (1 << TILE_BITS) - 1,
    MAX_THREADS = 256,
    STACK_BYTES = 4 << 20,
};
#define TILE_MASK ((uint64_t)MAX_TILES)

struct spk_pool {
    // generation << 40 | end of the tiles that are left << 20 | the first of them
    _Alignas(128) _Atomic uint64_t work;
    void (*body)(void *, int64_t);
    void *context;
    int64_t first_tile; // of this region; more than MAX_TILES tiles run as several regions
    // tiles finished by workers in this region, and whether the caller sleeps on it
    _Alignas(128) _Atomic uint32_t done;
    _Atomic uint32_t caller_sleeps;
    // workers that may be asleep; `epoch` is what they sleep on
    _Alignas(128) _Atomic uint32_t sleepers;
    _Atomic uint32_t epoch;
    _Alignas(128) _Atomic uint32_t busy; // a region is running: nested and concurrent calls run on their caller
    _Atomic uint32_t stopping;
    int threads, workers;
    pthread_t handles[MAX_THREADS];
};

static inline void pause_briefly(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static inline int64_t now_nanoseconds(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static void futex_wait(_Atomic uint32_t *word, uint32_t value) {
    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
}

static void futex_wake_all(_Atomic uint32_t *word) {
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT32_MAX, NULL, NULL, 0);
}

static inline bool has_tiles(uint64_t word) { return (word & TILE_MASK) < ((word >> TILE_BITS) & TILE_MASK); }

/// Claims and runs tiles, from the front or from the back, until none is left; returns how many it ran.
static inline uint32_t work_on_tiles(spk_pool *pool, bool from_back) {
    uint32_t finished = 0;
    uint64_t word = atomic_load_explicit(&pool->work, memory_order_acquire);
    while (has_tiles(word)) {
        uint64_t rest = from_back ? word - ((uint64_t)1 << TILE_BITS) : word + 1;
        if (atomic_compare_exchange_weak_explicit(
                &pool->work, &word, rest, memory_order_acq_rel, memory_order_acquire)) {
            // The region cannot end before this tile is done: body and context stay as they are.
            uint64_t tile = from_back ? (rest >> TILE_BITS) & TILE_MASK : word & TILE_MASK;
            pool->body(pool->context, pool->first_tile + (int64_t)tile);
            finished += 1;
            word = atomic_load_explicit(&pool->work, memory_order_acquire);
        }
    }
    return finished;
}

/// Spins until `pool` has tiles or stops. False when the time is up.
static bool spin_for_tiles(spk_pool *pool) {
    int64_t end = 0;
    for (int round = 1;; round++) {
        if (has_tiles(atomic_load_explicit(&pool->work, memory_order_relaxed))) { return true; }
        pause_briefly();
        if (round % 32 == 0) {
            if (atomic_load_explicit(&pool->stopping, memory_order_relaxed)) { return true; }
            int64_t now = now_nanoseconds();
            if (end == 0) { end = now + SPIN_NANOSECONDS; }
            if (now >= end) { return false; }
        }
    }
}

static void *worker(void *argument) {
    spk_pool *pool = argument;
    while (!atomic_load_explicit(&pool->stopping, memory_order_acquire)) {
        uint32_t finished = work_on_tiles(pool, true);
        if (finished > 0) {
            // After this the region may be over. The caller sets its flag before it looks at `done` again.
            atomic_fetch_add(&pool->done, finished);
            if (atomic_load(&pool->caller_sleeps)) { futex_wake_all(&pool->done); }
        }
        if (spin_for_tiles(pool)) { continue; }
        uint32_t epoch = atomic_load(&pool->epoch);
        atomic_fetch_add(&pool->sleepers, 1);
        if (has_tiles(atomic_load(&pool->work)) || atomic_load(&pool->stopping)) {
            // Awake after all; the count may have been cleared meanwhile. One too many costs one wake call.
            uint32_t sleepers = atomic_load(&pool->sleepers);
            while (sleepers > 0 && !atomic_compare_exchange_weak(&pool->sleepers, &sleepers, sleepers - 1)) {}
            continue;
        }
        futex_wait(&pool->epoch, epoch);
    }
    return NULL;
}

static void wake_workers(spk_pool *pool) {
    // Cleared here and not by the workers: else every region until they really run would pay a wake call.
    if (atomic_load(&pool->sleepers) != 0 && atomic_exchange(&pool->sleepers, 0) != 0) {
        atomic_fetch_add(&pool->epoch, 1);
        futex_wake_all(&pool->epoch);
    }
}

spk_pool *spk_pool_create(int threads) {
    spk_pool *pool = NULL;
    if (posix_memalign((void **)&pool, 128, sizeof(spk_pool)) != 0) { return NULL; }
    memset(pool, 0, sizeof(*pool));
    int wanted = SPK_MIN(SPK_MAX(threads, 1), MAX_THREADS) - 1;
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    // Signals are for the program's own threads.
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    for (int i = 0; i < wanted; i++) {
        if (pthread_create(&pool->handles[i], &attributes, worker, pool) != 0) { break; }
        pthread_setname_np(pool->handles[i], "kernels");
        pool->workers += 1;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    pool->threads = pool->workers + 1;
    return pool;
}

void spk_pool_destroy(spk_pool *pool) {
    if (pool == NULL) { return; }
    atomic_store(&pool->stopping, 1);
    atomic_fetch_add(&pool->epoch, 1);
    futex_wake_all(&pool->epoch);
    for (int i = 0; i < pool->workers; i++) { pthread_join(pool->handles[i], NULL); }
    free(pool);
}

int spk_pool_threads(const spk_pool *pool) { return pool == NULL ? 1 : pool->threads; }

static void wait_for_workers(spk_pool *pool, uint32_t expected) {
    int64_t end = 0;
    for (int round = 1; atomic_load_explicit(&pool->done, memory_order_acquire) != expected; round++) {
        pause_briefly();
        if (round % 32 != 0) { continue; }
        int64_t now = now_nanoseconds();
        if (end == 0) { end = now + SPIN_NANOSECONDS; }
        if (now < end) { continue; }
        atomic_store(&pool->caller_sleeps, 1);
        uint32_t done;
        while ((done = atomic_load(&pool->done)) != expected) { futex_wait(&pool->done, done); }
        atomic_store(&pool->caller_sleeps, 0);
        return;
    }
}

void spk_pool_run(spk_pool *pool, int64_t tiles, void (*body)(void *, int64_t), void *context) {
    if (pool == NULL || pool->workers == 0 || tiles <= 1 ||
        atomic_exchange_explicit(&pool->busy, 1, memory_order_acquire) != 0) {
        for (int64_t tile = 0; tile < tiles; tile++) { body(context, tile); }
        return;
    }
    for (int64_t first = 0; first < tiles; first += MAX_TILES) {
        uint64_t count = (uint64_t)SPK_MIN(tiles - first, (int64_t)MAX_TILES);
        uint64_t generation = (atomic_load_explicit(&pool->work, memory_order_relaxed) >> (2 * TILE_BITS)) + 1;
        pool->body = body;
        pool->context = context;
        pool->first_tile = first;
        atomic_store_explicit(&pool->done, 0, memory_order_relaxed);
        atomic_store(&pool->work, generation << (2 * TILE_BITS) | count << TILE_BITS);
        wake_workers(pool);
        uint32_t own = work_on_tiles(pool, false);
        if (own != count) { wait_for_workers(pool, (uint32_t)count - own); }
    }
    atomic_store_explicit(&pool->busy, 0, memory_order_release);
}
