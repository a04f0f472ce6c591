#include "base/result.hpp"

#include <array>

namespace dyad {
namespace {

constexpr std::array<ErrorRow, kErrcCount> kRows{{
#define X(name, http, close, mcp, retry, message) ErrorRow{#name, http, close, mcp, retry, message},
#include "base/errors.def"
#undef X
}};

}  // namespace

const ErrorRow& error_row(Errc code) noexcept {
    return kRows[static_cast<std::size_t>(code)];
}

std::optional<Errc> error_by_name(std::string_view name) noexcept {
    for (std::size_t i = 0; i < kRows.size(); ++i)
        if (kRows[i].name == name) return static_cast<Errc>(i);
    return std::nullopt;
}

std::string Error::to_string() const {
    std::string text(error_row(code).name);
    if (!detail.empty()) text.append(": ").append(detail);
    return text;
}

}  // namespace dyad
