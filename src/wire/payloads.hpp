// The payloads of clients' messages. Internal to the decoder.
#pragma once

#include "wire/fields.hpp"
#include "wire/message.hpp"

namespace dyad::wire {

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

// Reads the members of the object that the payload is. False: the source has the error.
template <const auto& known, class Take>
bool read_payload(Source& source, bool strict, Take take) {
    Members members;
    return begin_payload(source, "payload") && read_members<known>(source, members, take) &&
           (!strict || members.others.empty() ||
            source.refuse_other(members.others.front(), known)) &&
           source.lexer().finish();
}

// Puts a field's value into `out`; null leaves it as it is.
template <class T, class Out>
bool put(const Taken<T>& taken, Out& out) {
    if (taken.value) out = Out(*taken.value);
    return taken.good;
}
// A name out of a closed set; `wanted` lists it.
template <class Out, class ByName>
bool put_name(Field& field, Out& out, ByName by_name, std::string_view wanted) {
    const Taken<std::string_view> text = field.string();
    if (!text.value) return text.good;
    const auto value = by_name(*text.value);
    if (!value) return field.wrong(wanted);
    out = *value;
    return true;
}
// A response record; null leaves it as it is. The result is an error where a member is missing.
// `fill_in`: a time that is missing is the event's, and there may be no sources.
bool take_response(Field& field, std::optional<Result<ResponseRecord>>& out, bool fill_in);
// Canonical JSON; null leaves it as it is.
template <class Out>
bool put_unless_null(Field& field, Out& out) {
    std::string text;
    if (!field.document(text)) return false;
    if (text != "null") out = std::move(text);
    return true;
}

// A mode, in any letter case and with blanks around it: nobody is less private for that.
std::optional<Mode> mode_by_any_name(std::string_view name);

inline constexpr std::string_view kModes = "inspired, didactic or parallel";
inline constexpr std::string_view kStrategies = "replace, merge or ignore";
inline constexpr std::string_view kContextTypes = "chat, project, mode or custom";

}  // namespace dyad::wire
