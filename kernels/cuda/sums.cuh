// Frames back to samples, overlap-added.

// What a sum is to be multiplied by where frames before the first or after the last lack.
__device__ __forceinline__ float missing(const Job& job, int p) {
    const int at = p - job.start, newest = at / HOP, oldest = at < LENGTH ? 0 : (at - LENGTH) / HOP + 1;
    if (newest < job.frames && at + HOP >= LENGTH) return 1.f;
    float total = 0.f;
    for (int k = min(newest, job.frames - 1); k >= oldest; k--) total += __ldg(job.weight + at - k * HOP);
    return 1.f / total;
}

// Where a pair's two hops of finished samples go.
struct Output {
    float* row;
    int from, position;  // the first sample of the stretch, and of the pair
    bool plain;          // all of them are in the stretch and lie in as many frames as any

    __device__ __forceinline__ void put(const Job& job, int offset, float value) const {
        const int p = position + offset;
        if (p >= from && p < job.samples) {
            __stcs(row + p, value * missing(job, p));
        }
    }
};

__device__ __forceinline__ void inverse(const Job& job, Spectrum& z, float2* room, int lane, Twiddles<0>& first) {
    transform(Points<LAST>(), Inverse(), z.low);
    transform(Points<LAST>(), Inverse(), z.high);
    store<STAGES - 1>(room, lane, z.low);
    store<STAGES - 1>(room, mirrored_of(lane), z.high);
    back_between<STAGES - 2>(job, room, lane, first);
}

__device__ __forceinline__ void frames_at(const Job& job, const float2* room, int u, const float2 (&w)[Stage<0>::TWIDDLES],
                                          float2 (&v)[FIRST]) {
    load<0>(room, u, v);
    twisted(Points<FIRST>(), Inverse(), v, w);
#pragma unroll
    for (int i = 0; i < FIRST; i++) {
        const float d = again(job.dual + u + APART * i);
        v[i] = make_float2(d * v[i].x, d * v[i].y);
    }
}

// Adds a pair's frames to what the pairs before left, writes what is finished and keeps the rest.
// `kept` is the thread's own, `step` apart.
template <int STEP>
__device__ __forceinline__ void slide(const Job& job, const Output& out, const float2* room, int lane,
                                      const Twiddles<0>& twiddles, float* kept) {
#pragma unroll
    for (int turn = 0; turn < TURNS; turn++) {
        const int u = lane + turn * LANES;
        if (APART % LANES == 0 || u < APART) {
            float2 v[FIRST];
            frames_at(job, room, u, twiddles.w[turn], v);
            float sums[FIRST + SHIFT];
#pragma unroll
            for (int i = 0; i < FIRST + SHIFT; i++) {
                float sum = i < FIRST - SHIFT ? kept[(turn * HELD + i) * STEP] : 0.f;
                if (i < FIRST) sum += v[i < FIRST ? i : 0].x;
                if (i >= SHIFT) sum += v[i >= SHIFT ? i - SHIFT : 0].y;
                sums[i] = sum;
            }
            if (out.plain) {
                float* to = out.row + out.position + u;
#pragma unroll
                for (int i = 0; i < 2 * SHIFT; i++) __stcs(to + APART * i, sums[i]);
            } else {
#pragma unroll
                for (int i = 0; i < 2 * SHIFT; i++) out.put(job, u + APART * i, sums[i]);
            }
#pragma unroll
            for (int i = 0; i < FIRST - SHIFT; i++) kept[(turn * HELD + i) * STEP] = sums[i + 2 * SHIFT];
        }
    }
}

// The same through a ring in shared memory that begins at `first`.
__device__ __forceinline__ void ring_add(const Job& job, const Output& out, const float2* room, int lane, int first,
                                         const Twiddles<0>& twiddles, float* ring) {
    float2 v[TURNS][FIRST];
#pragma unroll
    for (int second = 0; second < 2; second++) {
#pragma unroll
        for (int turn = 0; turn < TURNS; turn++) {
            const int u = lane + turn * LANES;
            if (APART % LANES == 0 || u < APART) {
                if (second == 0) frames_at(job, room, u, twiddles.w[turn], v[turn]);
#pragma unroll
                for (int i = 0; i < FIRST; i++) {
                    int at = first + u + APART * i + second * HOP;
                    at = at >= RING ? at - RING : at;
                    ring[at] += second ? v[turn][i].y : v[turn][i].x;
                }
            }
        }
        meet();
    }
    for (int n = lane; n < 2 * HOP; n += LANES) {
        int at = first + n;
        at = at >= RING ? at - RING : at;
        out.put(job, n, ring[at]);
        ring[at] = 0.f;
    }
}
