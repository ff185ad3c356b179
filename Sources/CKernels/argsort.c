// Stable sorting permutations: keys become unsigned integers of the same order, then a radix sort (up to 32 bits) or a
// merge sort (64 bits). Short rows by insertion.
#include "sort_keys.h"

enum { INSERTION_COUNT = 24 };

int64_t spk_argsort_scratch_bytes(int64_t count) { return 16 * count; }

/// Sorts by 32-bit key: key and index in one word, a byte of the key per pass.
static void sort_narrow(uint64_t *words, uint64_t *other, int32_t *dst, int64_t count) {
    static const int key_shift = 32;
    if (count <= INSERTION_COUNT) {
        for (int64_t i = 1; i < count; i++) {
            uint64_t word = words[i];
            int64_t j = i;
            for (; j > 0 && words[j - 1] > word; j--) { words[j] = words[j - 1]; }
            words[j] = word;
        }
    } else {
        uint32_t counts[4][256] = {{0}};
        for (int64_t i = 0; i < count; i++) {
            uint32_t key = (uint32_t)(words[i] >> key_shift);
            for (int b = 0; b < 4; b++) { counts[b][key >> 8 * b & 0xFF] += 1; }
        }
        for (int b = 0; b < 4; b++) {
            int shift = key_shift + 8 * b;
            // A byte that all keys share needs no pass.
            if (counts[b][words[0] >> shift & 0xFF] == (uint64_t)count) { continue; }
            uint32_t place = 0;
            for (int v = 0; v < 256; v++) {
                uint32_t here = counts[b][v];
                counts[b][v] = place;
                place += here;
            }
            for (int64_t i = 0; i < count; i++) { other[counts[b][words[i] >> shift & 0xFF]++] = words[i]; }
            uint64_t *sorted = other;
            other = words;
            words = sorted;
        }
    }
    for (int64_t i = 0; i < count; i++) { dst[i] = (int32_t)(uint32_t)words[i]; }
}

/// Merges runs of indices, by keys that stay where they are.
static void sort_wide(const uint64_t *keys, int32_t *indices, int32_t *other, int32_t *dst, int64_t count) {
    for (int64_t i = 0; i < count; i++) { indices[i] = (int32_t)i; }
    for (int64_t width = 1; width < count; width *= 2) {
        for (int64_t start = 0; start < count; start += 2 * width) {
            int64_t middle = SPK_MIN(start + width, count), end = SPK_MIN(start + 2 * width, count);
            int64_t left = start, right = middle;
            for (int64_t i = start; i < end; i++) {
                bool takes_left = left < middle && (right >= end || keys[indices[left]] <= keys[indices[right]]);
                other[i] = takes_left ? indices[left++] : indices[right++];
            }
        }
        int32_t *merged = other;
        other = indices;
        indices = merged;
    }
    memcpy(dst, indices, (size_t)count * sizeof(int32_t));
}

void spk_run_argsort(const void *arguments, void *const *slots, spk_pool *pool) {
    (void)pool; // there is scratch for one row
    const spk_argsort *sort = arguments;
    int32_t dtype = sort->dtype;
    bool wide = spk_element_size[dtype] == 8;
    const char *src = spk_address(slots, sort->src, sort->src_offset, dtype);
    int32_t *dst = (int32_t *)slots[sort->dst] + sort->dst_offset;
    char *scratch = (char *)slots[sort->scratch] + sort->scratch_offset;
    uint64_t *words = (uint64_t *)scratch;
    for (int64_t o = 0; o < sort->outer; o++) {
        for (int64_t i = 0; i < sort->count; i++) {
            uint64_t key = key_at(src, dtype, i);
            if (wide) {
                words[i] = sort->descending ? ~key : key;
            } else {
                words[i] = (uint64_t)(sort->descending ? ~(uint32_t)key : (uint32_t)key) << 32 | (uint32_t)i;
            }
        }
        if (wide) {
            int32_t *indices = (int32_t *)(words + sort->count);
            sort_wide(words, indices, indices + sort->count, dst, sort->count);
        } else {
            sort_narrow(words, words + sort->count, dst, sort->count);
        }
        src += sort->count * spk_element_size[dtype];
        dst += sort->count;
    }
}
