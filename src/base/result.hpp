// Result<T>: a value or an Error. Every operating error of the product is one of the closed set
// Errc; switches over it are exhaustive. An Error says what to do about it in `detail` (the field,
// the limit), and where it arose.
//
//     Result<Offset> r = parse_offset(text);
//     if (!r) return r.error();          // converts to any Result<U>
//     TRY(check(*r));                    // returns the error of a Result where it is one
//     ASSIGN_OR_RETURN(const Offset o, parse_offset(text));  // the value, or returns the error
//     return fail(Errc::invalid_field, "offset: must be a whole number from 1");
#pragma once

#include "base/check.hpp"

#include <cstdint>
#include <optional>
#include <source_location>
#include <string>
#include <string_view>
#include <utility>

namespace dyad {

enum class Errc : std::uint8_t {
#define X(name, http, close, mcp, retry, message) name,
#include "base/errors.def"
#undef X
};

// What the error table says of one error.
struct ErrorRow {
    std::string_view name;
    int http_status;
    int close_code;
    int mcp_code;
    bool retry;
    std::string_view message;
};
const ErrorRow& error_row(Errc code) noexcept;
// The error of this name, if there is one.
std::optional<Errc> error_by_name(std::string_view name) noexcept;
inline constexpr std::size_t kErrcCount = 0
#define X(...) +1
#include "base/errors.def"
#undef X
    ;

struct Error {
    Errc code;
    std::string detail;  // one plain sentence: the field, the limit, what to do; may be empty
    std::source_location where;

    // "name: detail", for logs.
    std::string to_string() const;
};

[[nodiscard]] inline Error fail(Errc code, std::string detail = {},
                                std::source_location where = std::source_location::current()) {
    return Error{code, std::move(detail), where};
}

template <class T>
class [[nodiscard]] Result {
  public:
    Result(T value) : value_(std::move(value)) {}
    Result(Error error) : error_(std::move(error)) {}

    explicit operator bool() const noexcept { return value_.has_value(); }
    bool has_value() const noexcept { return value_.has_value(); }
    // Requires: has_value().
    T& operator*() & {
        CHECK(value_.has_value());
        return *value_;
    }
    const T& operator*() const& {
        CHECK(value_.has_value());
        return *value_;
    }
    T&& operator*() && {
        CHECK(value_.has_value());
        return std::move(*value_);
    }
    T* operator->() {
        CHECK(value_.has_value());
        return &*value_;
    }
    const T* operator->() const {
        CHECK(value_.has_value());
        return &*value_;
    }
    // Requires: !has_value().
    const Error& error() const {
        CHECK(error_.has_value());
        return *error_;
    }

  private:
    std::optional<T> value_;
    std::optional<Error> error_;
};

struct Done {};
// A Result with nothing to return: `return Done{};`.
using Status = Result<Done>;

}  // namespace dyad

#define TRY(...)                                                           \
    do {                                                                   \
        if (auto&& tried_ = (__VA_ARGS__); !tried_) return tried_.error(); \
    } while (false)

// `declaration`: of what the value is moved into; `auto&& name` where it need not be moved.
#define ASSIGN_OR_RETURN(declaration, ...) \
    ASSIGN_OR_RETURN_AS(DYAD_JOIN(tried_, __LINE__), declaration, __VA_ARGS__)
#define ASSIGN_OR_RETURN_AS(tried, declaration, ...) \
    auto tried = (__VA_ARGS__);                      \
    if (!tried) return tried.error();                \
    declaration = *std::move(tried)
#define DYAD_JOIN(a, b) DYAD_JOIN_AGAIN(a, b)
#define DYAD_JOIN_AGAIN(a, b) a##b
