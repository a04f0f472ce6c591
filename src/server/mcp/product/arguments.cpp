#include "server/mcp/product/arguments.hpp"

namespace dyad::server::mcp {

Result<json::Source*> open_arguments(const Call& call) {
    thread_local json::Source source;
    source.open(call.arguments());
    source.lexer().skip_space();
    if (source.lexer().peek() != '{')
        return fail(Errc::invalid_field, "arguments: must be an object");
    return &source;
}

Result<std::size_t> within(std::string_view name, std::optional<std::int64_t> value,
                           std::int64_t fallback, std::int64_t min, std::int64_t max) {
    const std::int64_t number = value.value_or(fallback);
    if (number < min || number > max)
        return fail(Errc::invalid_field, std::string(name) + ": must be a whole number from " +
                                             std::to_string(min) + " to " + std::to_string(max));
    return static_cast<std::size_t>(number);
}

Status needed(std::string_view name, std::string_view value) {
    if (value.empty()) return fail(Errc::missing_field, std::string(name) + ": is required");
    return Done{};
}

}  // namespace dyad::server::mcp
