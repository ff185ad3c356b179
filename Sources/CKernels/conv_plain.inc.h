// Convolutions of float64 and the integer types: plain loops. A part of conv.inc.h.

typedef struct {
    const spk_conv *conv;
    const char *x, *w;
    char *out;
} conv_plain;

#define CONV_PLAIN(T, ACCUMULATE)                                                                                      \
    {                                                                                                                  \
        const T *px = (const T *)run->x + group * sx[0] + n * sx[1], *pw = (const T *)run->w + group * sw[0];          \
        T *out = (T *)run->out + group * so[0] + n * so[1] + at[0] * so[3] + at[1] * so[4] + at[2] * so[5];            \
        for (int64_t f = 0; f < conv->features; f++) {                                                                 \
            T z = 0;                                                                                                   \
            for (int64_t k = 0; k < taps; k++) {                                                                       \
                int64_t channel, spatial[3], from = 0, weight = f * sw[2];                                             \
                conv_indices(&side, k, &channel, spatial);                                                             \
                bool inside = true;                                                                                    \
                for (int d = 0; d < 3; d++) {                                                                          \
                    int64_t place =                                                                                    \
                        at[d] * conv->stride[d] + spatial[d] * conv->kernel_dilation[d] - conv->padding[d];            \
                    int64_t position = place / conv->input_dilation[d];                                                \
                    inside = inside && place >= 0 && position < conv->input[d] &&                                      \
                        position * conv->input_dilation[d] == place;                                                   \
                    from += position * sx[3 + d];                                                                      \
                    weight += spatial[d] * sw[3 + d];                                                                  \
                }                                                                                                      \
                if (inside) {                                                                                          \
                    const T x = px[from + channel * sx[2]], y = pw[weight + channel * sw[1]];                          \
                    z = (ACCUMULATE);                                                                                  \
                }                                                                                                      \
            }                                                                                                          \
            out[f * so[2]] = z;                                                                                        \
        }                                                                                                              \
    }                                                                                                                  \
    break;

static void run_conv_plain_row(void *context, int64_t tile) {
    const conv_plain *run = context;
    const spk_conv *conv = run->conv;
    const int64_t *sx = conv->x.strides, *sw = conv->w.strides, *so = conv->out.strides;
    conv_side side = {.other = conv->channels, .other_inner = !conv->channels_first};
    memcpy(side.size, conv->kernel, sizeof(side.size));
    int64_t taps = conv->kernel[0] * conv->kernel[1] * conv->kernel[2] * conv->channels;
    int64_t at[3], n = tile % conv->batch, rest = tile / conv->batch;
    at[2] = rest % conv->output[2];
    rest /= conv->output[2];
    at[1] = rest % conv->output[1];
    rest /= conv->output[1];
    at[0] = rest % conv->output[0];
    int64_t group = rest / conv->output[0];
    switch (conv->x.dtype) {
    case SPK_INT8:
    case SPK_UINT8: CONV_PLAIN(uint8_t, (uint8_t)(z + x * y))
    case SPK_INT16:
    case SPK_UINT16: CONV_PLAIN(uint16_t, (uint16_t)(z + (uint32_t)x * y))
    case SPK_INT32:
    case SPK_UINT32: CONV_PLAIN(uint32_t, z + x * y)
    case SPK_INT64:
    case SPK_UINT64: CONV_PLAIN(uint64_t, z + x * y)
    case SPK_FLOAT64: CONV_PLAIN(double, __builtin_fma(x, y, z))
    default: break;
    }
}
