// Samples of a signal, as the first stage takes them.

// A sample of the signal, or of what stands beyond its ends.
__device__ __forceinline__ float sample(const Job& job, const float* x, int p) {
    int q = p < 0 ? -p : p;
    q = q >= job.samples ? 2 * (job.samples - 1) - q : q;
    return q >= 0 && q < job.samples && (q == p || job.mirrored) ? __ldg(x + q) : 0.f;
}

// Samples p, p + APART, ...
template <int COUNT>
__device__ __forceinline__ void samples_from(const Job& job, const float* x, int p, bool inside, float* to) {
    if (inside) {
        const float* from = x + p;
#pragma unroll
        for (int i = 0; i < COUNT; i++) to[i] = __ldg(from + APART * i);
    } else {
#pragma unroll
        for (int i = 0; i < COUNT; i++) to[i] = sample(job, x, p + APART * i);
    }
}

// The samples of frames, of which each is read once if frames slide and threads hold what they share.
template <bool HOLDS>
struct Samples {
    float held[TURNS][HELD];

    __device__ __forceinline__ void begin(const Job& job, const Pair& pair, int lane) {
        if constexpr (HOLDS) {
            const float* x = job.x + pair.channel * job.samples;
#pragma unroll
            for (int turn = 0; turn < TURNS; turn++) {
                const int u = min(lane + turn * LANES, APART - 1);
                samples_from<FIRST - SHIFT>(job, x, pair.position + u, pair.inside, held[turn]);
            }
        }
    }

    // The values of a butterfly, windowed: the first frame's and the second's.
    __device__ __forceinline__ void next(const Job& job, const Pair& pair, int turn, int u, float2 (&v)[FIRST]) {
        const float* x = job.x + pair.channel * job.samples;
        const int p = pair.position + u;
        float a[FIRST], b[FIRST];
        if constexpr (SLIDES) {
            constexpr int KNOWN = HOLDS ? FIRST - SHIFT : 0;
            float all[FIRST + SHIFT];
            samples_from<FIRST + SHIFT - KNOWN>(job, x, p + APART * KNOWN, pair.inside, all + KNOWN);
#pragma unroll
            for (int i = 0; i < KNOWN; i++) all[i] = held[turn][i];
#pragma unroll
            for (int i = 0; i < FIRST; i++) a[i] = all[i], b[i] = all[i + SHIFT];
#pragma unroll
            for (int i = 0; i < KNOWN; i++) held[turn][i] = all[i + 2 * SHIFT];
        } else {
            samples_from<FIRST>(job, x, p, pair.inside, a);
            samples_from<FIRST>(job, x, p + HOP, pair.inside, b);
        }
        if (!pair.two) {
#pragma unroll
            for (int i = 0; i < FIRST; i++) a[i] = pair.one ? a[i] : 0.f, b[i] = 0.f;
        }
        const float* window = job.window + u;
#pragma unroll
        for (int i = 0; i < FIRST; i++) {
            const float w = again(window + APART * i);
            v[i] = make_float2(w * a[i], w * b[i]);
        }
    }
};
