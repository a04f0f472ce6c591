#include "base/metrics.hpp"

namespace dyad::metrics {
namespace {

// Constant-initialised, so that it exists before any metric of another file registers.
constinit std::atomic<Metric*> first{nullptr};

}  // namespace

Metric::Metric(std::string_view name, std::string_view help, Kind kind) noexcept
    : name_(name), help_(help), kind_(kind), next_(first.load()) {
    while (!first.compare_exchange_weak(next_, this)) {
    }
}

std::string render() {
    std::string out;
    for (const Metric* m = first.load(); m != nullptr; m = m->next_) {
        out.append("# HELP ").append(m->name_).append(" ").append(m->help_).append("\n# TYPE ");
        out.append(m->name_).append(m->kind_ == Kind::counter ? " counter\n" : " gauge\n");
        out.append(m->name_).append(" ").append(std::to_string(m->value())).append("\n");
    }
    return out;
}

}  // namespace dyad::metrics
