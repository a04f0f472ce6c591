#include "base/metrics.hpp"

#include <algorithm>
#include <charconv>

namespace dyad::metrics {
namespace {

// Constant-initialised, so that it exists before any metric of another file registers.
constinit std::atomic<Metric*> first{nullptr};
constinit std::atomic<Histogram*> first_histogram{nullptr};

// Microseconds as seconds, without an exponent.
std::string seconds(std::int64_t us) {
    std::array<char, 32> text;
    const auto end = std::to_chars(text.data(), text.data() + text.size(),
                                   static_cast<double>(us) / 1e6, std::chars_format::fixed)
                         .ptr;
    return {text.data(), end};
}

}  // namespace

Metric::Metric(std::string_view name, std::string_view help, Kind kind) noexcept
    : name_(name), help_(help), kind_(kind), next_(first.load()) {
    while (!first.compare_exchange_weak(next_, this)) {
    }
}

Histogram::Histogram(std::string_view name, std::string_view help) noexcept
    : name_(name), help_(help), next_(first_histogram.load()) {
    while (!first_histogram.compare_exchange_weak(next_, this)) {
    }
}

void Histogram::observe_us(std::int64_t took_us) noexcept {
    const auto at = std::lower_bound(kBoundsUs.begin(), kBoundsUs.end(), took_us);
    counts_[static_cast<std::size_t>(at - kBoundsUs.begin())].fetch_add(1,
                                                                        std::memory_order_relaxed);
    sum_us_.fetch_add(std::max<std::int64_t>(took_us, 0), std::memory_order_relaxed);
}

std::string render() {
    std::string out;
    for (const Metric* m = first.load(); m != nullptr; m = m->next_) {
        out.append("# HELP ").append(m->name_).append(" ").append(m->help_).append("\n# TYPE ");
        out.append(m->name_).append(m->kind_ == Kind::counter ? " counter\n" : " gauge\n");
        out.append(m->name_).append(" ").append(std::to_string(m->value())).append("\n");
    }
    for (const Histogram* h = first_histogram.load(); h != nullptr; h = h->next_) {
        const std::string name(h->name_);
        out.append("# HELP ").append(name).append(" ").append(h->help_);
        out.append("\n# TYPE ").append(name).append(" histogram\n");
        std::int64_t count = 0;
        for (std::size_t i = 0; i < h->counts_.size(); ++i) {
            count += h->counts_[i].load(std::memory_order_relaxed);
            const bool last = i == Histogram::kBoundsUs.size();
            out.append(name).append("_bucket{le=\"");
            out.append(last ? "+Inf" : seconds(Histogram::kBoundsUs[i])).append("\"} ");
            out.append(std::to_string(count)).append("\n");
        }
        out.append(name).append("_sum ").append(seconds(h->sum_us_.load())).append("\n");
        out.append(name).append("_count ").append(std::to_string(count)).append("\n");
    }
    return out;
}

}  // namespace dyad::metrics
