// The payloads of clients' messages. Internal to the decoder.
#pragma once

#include "wire/fields.hpp"
#include "wire/message.hpp"

namespace dyad::wire {

Result<Hello> read_hello(Source& source, std::string_view payload);
// wire.md 1.3; `version` there is a clock and no expectation: the strategy alone decides.
Result<Command> read_context_sync(Source& source, std::string_view payload);
Result<Command> read_mode_update(Source& source, std::string_view payload);
// docs/protocol.md: {"op": …, …}.
Result<Command> read_operation(Source& source, std::string_view payload);

Error missing(std::string_view field);

// Reads the members of the object that `payload` is.
template <std::size_t N, class Take>
Status read_payload(Source& source, std::string_view payload,
                    const std::array<std::string_view, N>& known, Take take) {
    Result<simdjson::ondemand::document> opened = source.open(payload);
    if (!opened) return opened.error();
    simdjson::ondemand::object members;
    if (opened->get_object().get(members) != simdjson::SUCCESS)
        return fail(Errc::invalid_field, "payload: must be a JSON object");
    if (Status read = read_members(members, known, take); !read) return read;
    return Source::at_end(*opened);
}

// Puts a field's value into `out`; absent and null leave it as it is.
template <class Read, class Out>
Status put(Read read, Out& out) {
    if (!read) return read.error();
    if (*read) out = **read;
    return Done{};
}
// The value where null is one.
template <class Read, class Out>
Status put_any(Read read, Out& out) {
    if (!read) return read.error();
    out = *std::move(read);
    return Done{};
}
// A name out of a closed set; `wanted` lists it.
template <class Out, class ByName>
Status put_name(Field& field, Out& out, ByName by_name, std::string_view name,
                std::string_view wanted) {
    Result<std::optional<std::string_view>> text = field.string();
    if (!text) return text.error();
    if (!*text) return Done{};
    const auto value = by_name(**text);
    if (!value)
        return fail(Errc::invalid_field, std::string(name) + ": must be " + std::string(wanted));
    out = *value;
    return Done{};
}
inline constexpr std::string_view kModes = "inspired, didactic or parallel";
inline constexpr std::string_view kStrategies = "replace, merge or ignore";
inline constexpr std::string_view kContextTypes = "chat, project, mode or custom";

}  // namespace dyad::wire
