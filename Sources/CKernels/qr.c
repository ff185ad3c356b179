// The QR decomposition by Householder reflections, in double precision and in one order of operations on every processor:
// orthogonal initial values are part of what a run's result depends on. (OpenBLAS picks kernels by processor.)
#include "internal.h"

/// The sum of products, in eight lanes combined pairwise.
static double dot(const double *a, const double *b, int64_t count) {
    double lanes[8] = {0};
    int64_t i = 0;
    for (; i + 8 <= count; i += 8) {
        for (int lane = 0; lane < 8; lane++) { lanes[lane] += a[i + lane] * b[i + lane]; }
    }
    for (int lane = 0; i < count; i++, lane++) { lanes[lane] += a[i] * b[i]; }
    return ((lanes[0] + lanes[4]) + (lanes[2] + lanes[6])) + ((lanes[1] + lanes[5]) + (lanes[3] + lanes[7]));
}

/// The Euclidean norm, without overflow; NaN if an element is.
static double norm(const double *x, int64_t count) {
    double largest = 0;
    for (int64_t i = 0; i < count; i++) {
        if (isnan(x[i])) { return NAN; }
        largest = SPK_MAX(largest, fabs(x[i]));
    }
    if (largest == 0 || isinf(largest)) { return largest; }
    double sum = 0;
    for (int64_t i = 0; i < count; i++) { sum += (x[i] / largest) * (x[i] / largest); }
    return largest * sqrt(sum);
}

/// column -= tau * v * (v . column), where v begins with 1.
static void reflect(double *column, const double *v, double tau, int64_t count) {
    double factor = tau * (column[0] + dot(v + 1, column + 1, count - 1));
    column[0] -= factor;
    for (int64_t i = 1; i < count; i++) { column[i] -= factor * v[i]; }
}

static double load(const void *base, int64_t at, int32_t dtype) {
    return dtype == SPK_FLOAT64 ? ((const double *)base)[at] : (double)((const float *)base)[at];
}

static void store(void *base, int64_t at, int32_t dtype, double value) {
    if (dtype == SPK_FLOAT64) {
        ((double *)base)[at] = value;
    } else {
        ((float *)base)[at] = (float)value;
    }
}

static void factorize(const spk_qr *qr, const void *matrix, void *q, void *r, double *work) {
    int64_t m = qr->rows, n = qr->columns, inner = qr->inner, reflectors = SPK_MIN(m, n);
    double *a = work, *basis = a + m * n, *tau = basis + m * inner; // columns are contiguous
    for (int64_t row = 0; row < m; row++) {
        for (int64_t column = 0; column < n; column++) {
            a[column * m + row] = load(matrix, row * n + column, qr->dtype);
        }
    }
    for (int64_t j = 0; j < reflectors; j++) {
        double *v = a + j * m + j;
        double rest = norm(v + 1, m - j - 1);
        tau[j] = 0;
        if (rest == 0) { continue; }
        // LAPACK's choice: the diagonal of R has the opposite sign of what it replaces.
        double beta = -copysign(hypot(v[0], rest), v[0]);
        tau[j] = (beta - v[0]) / beta;
        double scale = 1 / (v[0] - beta);
        for (int64_t i = 1; i < m - j; i++) { v[i] *= scale; }
        v[0] = beta;
        for (int64_t column = j + 1; column < n; column++) { reflect(a + column * m + j, v, tau[j], m - j); }
    }
    for (int64_t row = 0; row < inner; row++) {
        for (int64_t column = 0; column < n; column++) {
            store(r, row * n + column, qr->dtype, row <= column ? a[column * m + row] : 0);
        }
    }
    for (int64_t column = 0; column < inner; column++) {
        for (int64_t row = 0; row < m; row++) { basis[column * m + row] = row == column; }
    }
    for (int64_t j = reflectors - 1; j >= 0; j--) {
        for (int64_t column = j; column < inner; column++) {
            reflect(basis + column * m + j, a + j * m + j, tau[j], m - j);
        }
    }
    for (int64_t row = 0; row < m; row++) {
        for (int64_t column = 0; column < inner; column++) {
            store(q, row * inner + column, qr->dtype, basis[column * m + row]);
        }
    }
}

int64_t spk_qr_work_count(int64_t rows, int64_t columns, int64_t inner) {
    return rows * columns + rows * inner + SPK_MIN(rows, columns);
}

void spk_run_qr(const void *arguments, void *const *slots, spk_pool *pool) {
    (void)pool;
    const spk_qr *qr = arguments;
    int64_t size = spk_element_size[qr->dtype];
    for (int64_t member = 0; member < qr->count; member++) {
        factorize(
            qr, spk_address(slots, qr->matrix, qr->matrix_offset, qr->dtype) + member * qr->rows * qr->columns * size,
            spk_address(slots, qr->q, qr->q_offset, qr->dtype) + member * qr->rows * qr->inner * size,
            spk_address(slots, qr->r, qr->r_offset, qr->dtype) + member * qr->inner * qr->columns * size,
            slots[qr->work]);
    }
}
