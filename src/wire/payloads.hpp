// The payloads of clients' messages. Internal to the decoder.
#pragma once

#include "model/json_fields.hpp"
#include "wire/message.hpp"

namespace dyad::wire {

using json::Field;
using json::MemberOf;
using json::Members;
using json::Source;
using json::Taken;

// Each reads the payload that `source` was opened with.
Status read_hello(Source& source, Hello& hello);
// wire.md 1.3; `version` there is a clock and no expectation: the strategy alone decides.
Status read_context_sync(Source& source, const From& from, Command& command);
Status read_mode_update(Source& source, const From& from, Command& command);
// docs/protocol.md: {"op": …, …}.
Status read_operation(Source& source, Command& command, Given&& given);

Error missing(std::string_view field);

// Goes up to the object that a payload must be; `name` is what errors call it.
bool begin_payload(Source& source, std::string_view name);

// Reads the members of the object that the payload is.
template <const auto& known, class Out>
Status read_payload(Source& source, bool strict, Out& out) {
    Members members;
    if (!begin_payload(source, "payload") || !read_members<known>(source, members, out))
        return source.lexer().take_error();
    if (strict && !members.others.empty()) return not_known_in(known, members.others.front());
    if (!source.lexer().finish()) return source.lexer().take_error();
    return Done{};
}

// A member that Field::into() takes into this place.
template <auto place, class Out>
bool into(Field& field, Out& out) {
    return field.into(out.*place);
}

// When a context expires; null: never.
template <class Out>
bool take_expiry(Field& field, Out& out) {
    const Taken<std::int64_t> time = field.time();
    out.expires_at_ms = time.value;
    return time.good;
}

// A response record; null leaves it as it is. The result is an error where a member is missing.
// `fill_in`: a time that is missing is the event's, and there may be no sources.
bool take_response(Field& field, std::optional<Result<ResponseRecord>>& out, bool fill_in);

// A mode, in any letter case and with blanks around it: nobody is less private for that.
std::optional<Mode> mode_by_any_name(std::string_view name);

}  // namespace dyad::wire
