// Stages of a transform, in shared memory, and the barriers between them.

template <int S>
__device__ constexpr int turns() {
    return (LENGTH / Stage<S>::RADIX + LANES - 1) / LANES;
}

// The twiddles of a thread's butterflies. They are read before a barrier, so that both waits are one.
template <int S>
struct Twiddles {
    float2 w[turns<S>()][Stage<S>::TWIDDLES];

    __device__ __forceinline__ void forwards(const Job& job, int turn, int u) {
        const float2* table = job.twiddles + Stage<S>::FORWARDS + u % Stage<S>::BELOW;
#pragma unroll
        for (int i = 0; i < Stage<S>::TWIDDLES; i++) w[turn][i] = again(table + i * Stage<S>::BELOW);
    }

    __device__ __forceinline__ void backwards(const Job& job, int lane) {
#pragma unroll
        for (int turn = 0; turn < turns<S>(); turn++) {
            const int u = min(lane + turn * LANES, LENGTH / Stage<S>::RADIX - 1);
            const float2* table = job.twiddles + Stage<S>::BACKWARDS + u / Stage<S>::BELOW;
#pragma unroll
            for (int i = 0; i < Stage<S>::TWIDDLES; i++) w[turn][i] = again(table + i * Stage<S>::ABOVE);
        }
    }
};

template <int S>
__device__ __forceinline__ void load(const float2* room, int u, float2 (&v)[Stage<S>::RADIX]) {
    const float2* from = room + Stage<S>::place(u);
#pragma unroll
    for (int i = 0; i < Stage<S>::RADIX; i++) v[i] = from[i * Stage<S>::APART];
}

template <int S>
__device__ __forceinline__ void store(float2* room, int u, const float2 (&v)[Stage<S>::RADIX]) {
    float2* to = room + Stage<S>::place(u);
#pragma unroll
    for (int i = 0; i < Stage<S>::RADIX; i++) to[i * Stage<S>::APART] = v[i];
}

// The stages between the first and the last, and what is to be done before the last one's barrier.
template <int S, class Then>
__device__ __forceinline__ void between(const Job& job, float2* room, int lane, Then& then) {
    if constexpr (S < STAGES - 1) {
        constexpr int COUNT = LENGTH / Stage<S>::RADIX;
        Twiddles<S> twiddles;
#pragma unroll
        for (int turn = 0; turn < turns<S>(); turn++) twiddles.forwards(job, turn, min(lane + turn * LANES, COUNT - 1));
        meet();
#pragma unroll
        for (int turn = 0; turn < turns<S>(); turn++) {
            const int u = lane + turn * LANES;
            if (COUNT % LANES == 0 || u < COUNT) {
                float2 v[Stage<S>::RADIX];
                load<S>(room, u, v);
                twisted(Points<Stage<S>::RADIX>(), Forward(), v, twiddles.w[turn]);
                store<S>(room, u, v);
            }
        }
        between<S + 1>(job, room, lane, then);
    } else {
        then();
        meet();
    }
}

// The same backwards, with the first stage's twiddles at the end.
template <int S>
__device__ __forceinline__ void back_between(const Job& job, float2* room, int lane, Twiddles<0>& first) {
    if constexpr (S > 0) {
        constexpr int COUNT = LENGTH / Stage<S>::RADIX;
        Twiddles<S> twiddles;
        twiddles.backwards(job, lane);
        meet();
#pragma unroll
        for (int turn = 0; turn < turns<S>(); turn++) {
            const int u = lane + turn * LANES;
            if (COUNT % LANES == 0 || u < COUNT) {
                float2 v[Stage<S>::RADIX];
                load<S>(room, u, v);
                twisted(Points<Stage<S>::RADIX>(), Inverse(), v, twiddles.w[turn]);
                store<S>(room, u, v);
            }
        }
        back_between<S - 1>(job, room, lane, first);
    } else {
        first.backwards(job, lane);
        meet();
    }
}
