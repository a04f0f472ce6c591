#include "server/hooks/event.hpp"

#include "base/text.hpp"
#include "base/utf8.hpp"
#include "model/identity.hpp"
#include "model/json.hpp"
#include "model/json_text.hpp"

#include <algorithm>
#include <initializer_list>

namespace dyad::server::hooks {
namespace {

using Object = boost::json::object;
using Names = std::initializer_list<std::string_view>;

// Arguments of tools are of any kind: whole files, lists of edits.
constexpr json::ParseLimits kAnything{64, 1'000'000, 65'536};

// The first of the members that is there; null where none is.
const json::Value* find(const json::Value& value, Names names) {
    const Object* const object = value.if_object();
    if (object == nullptr) return nullptr;
    for (const std::string_view name : names)
        if (const json::Value* found = object->if_contains(name); found && !found->is_null())
            return found;
    return nullptr;
}

std::string text_of(const json::Value& value, Names names) {
    const json::Value* const found = find(value, names);
    return found != nullptr && found->is_string() ? std::string(found->get_string()) : "";
}

// "PreToolUse", "preToolUse" and "pre-tool-use" are one.
std::string plain_name(std::string_view name) {
    std::string out = to_lower(name);
    std::erase_if(out, [](char c) { return c == '-' || c == '_'; });
    return out;
}

struct Named {
    std::string_view name;
    Moment moment;
};
constexpr Named kMoments[] = {
    {"sessionstart", Moment::session_start},
    {"userpromptsubmit", Moment::prompt},
    {"userpromptsubmitted", Moment::prompt},
    {"beforesubmitprompt", Moment::prompt},
    {"pretooluse", Moment::before_tool},
    {"precompact", Moment::before_compaction},
    {"postcompact", Moment::after_compaction},
    {"stop", Moment::stop},
    {"agentstop", Moment::stop},
    {"afteragentresponse", Moment::stop},
    {"sessionend", Moment::session_end},
};

// Tools that write files, by what is left of their names without separators.
constexpr std::string_view kWriting[] = {"edit",
                                         "write",
                                         "multiedit",
                                         "notebookedit",
                                         "applypatch",
                                         "editfiles",
                                         "createfile",
                                         "editfile",
                                         "writefile",
                                         "replacestringinfile",
                                         "multireplacestringinfile",
                                         "inserteditintofile",
                                         "editnotebookfile",
                                         "editnotebook",
                                         "searchreplace",
                                         "strreplace",
                                         "delete",
                                         "deletefile",
                                         "movefile",
                                         "renamefile",
                                         "create",
                                         "strreplaceeditor",
                                         "deletefiles"};

bool is_writing(std::string_view tool) {
    // mcp__files__write_file: what counts is the tool of that server.
    if (const std::size_t at = tool.rfind("__"); at != std::string_view::npos)
        tool.remove_prefix(at + 2);
    const std::string plain = plain_name(tool);
    return std::find(std::begin(kWriting), std::end(kWriting), plain) != std::end(kWriting);
}

// The path without `.`, `..` and doubled slashes, behind `folder` where it is a relative one.
std::string whole_path(std::string_view path, std::string_view folder) {
    std::string joined(path);
    const auto is_whole = [](std::string_view one) {
        return one.starts_with('/') || (one.size() > 2 && one[1] == ':');
    };
    if (!is_whole(path) && is_whole(folder)) joined = std::string(folder) + "/" + joined;
    std::vector<std::string_view> parts;
    for (std::string_view rest = joined; !rest.empty();) {
        const std::size_t slash = std::min(rest.find('/'), rest.size());
        const std::string_view part = rest.substr(0, slash);
        rest.remove_prefix(std::min(slash + 1, rest.size()));
        if (part.empty() || part == ".") continue;
        if (part == ".." && !parts.empty() && parts.back() != "..")
            parts.pop_back();
        else
            parts.push_back(part);
    }
    std::string out;
    for (const std::string_view part : parts)
        out.append(out.empty() && !joined.starts_with('/') ? "" : "/").append(part);
    return out;
}

// The files that a patch of the form `*** Update File: PATH` names.
void take_patch(std::string_view patch, std::vector<std::string>& files) {
    constexpr std::string_view kHeads[] = {
        "*** Update File: ", "*** Add File: ", "*** Delete File: ", "*** Move to: "};
    for (std::string_view rest = patch; !rest.empty();) {
        const std::size_t end = std::min(rest.find('\n'), rest.size());
        const std::string_view line = trimmed(rest.substr(0, end), " \t\r");
        rest.remove_prefix(std::min(end + 1, rest.size()));
        for (const std::string_view head : kHeads)
            if (line.starts_with(head)) files.emplace_back(line.substr(head.size()));
    }
}

void take_files(const json::Value& input, std::vector<std::string>& files) {
    if (input.is_string()) return take_patch(input.get_string(), files);
    for (const std::string_view name :
         {"file_path", "filePath", "path", "notebook_path", "notebookPath", "target_file",
          "targetFile", "target_notebook", "old_path", "new_path", "source", "destination"})
        if (std::string path = text_of(input, {name}); !path.empty())
            files.push_back(std::move(path));
    for (const std::string_view name : {"command", "input", "patch"}) {
        const json::Value* const found = find(input, {name});
        if (found == nullptr) continue;
        if (found->is_string()) take_patch(found->get_string(), files);
        if (const auto* const words = found->if_array())
            for (const json::Value& word : *words)
                if (word.is_string()) take_patch(word.get_string(), files);
    }
    for (const std::string_view name : {"files", "edits", "replacements"}) {
        const json::Value* const list = find(input, {name});
        if (list == nullptr || !list->is_array()) continue;
        for (const json::Value& one : list->get_array()) {
            std::string path = one.is_string() ? std::string(one.get_string())
                                               : text_of(one, {"path", "filePath", "file_path"});
            if (!path.empty()) files.push_back(std::move(path));
        }
    }
}

void take_tool(const json::Value& value, Event& event) {
    event.tool = text_of(value, {"tool_name", "toolName"});
    event.writes = is_writing(event.tool);
    if (!event.writes) return;
    if (const json::Value* input = find(value, {"tool_input", "toolInput", "toolArgs"})) {
        // Some send the arguments as a text that is JSON.
        const auto text = input->is_string() ? json::parse(input->get_string(), kAnything)
                                             : Result<json::Value>(fail(Errc::invalid_json));
        take_files(text && text->is_object() ? *text : *input, event.files);
    }
    for (std::string& file : event.files)
        file = whole_path(file, event.folder);
    std::sort(event.files.begin(), event.files.end());
    event.files.erase(std::unique(event.files.begin(), event.files.end()), event.files.end());
}

std::string folder_of(const json::Value& value) {
    std::string folder = text_of(value, {"cwd", "workspace_root"});
    const json::Value* const roots = find(value, {"workspace_roots", "workspaceRoots"});
    if (folder.empty() && roots != nullptr && roots->is_array() && !roots->get_array().empty() &&
        roots->get_array().front().is_string())
        folder = std::string(roots->get_array().front().get_string());
    return folder;
}

// A message of the assistant in one line of a session's record; empty: it is none.
LastSaid message_in(const json::Value& line) {
    LastSaid out;
    const json::Value* body = &line;
    for (const std::string_view inner : {"payload", "message", "data"})
        if (const json::Value* found = find(*body, {inner}); found && found->is_object())
            body = found;
    out.model = text_of(*body, {"model"});
    std::string role = text_of(*body, {"role"});
    if (role.empty()) role = text_of(line, {"role", "type"});
    if (role != "assistant" && role != "assistant.message") return out;
    const json::Value* const content = find(*body, {"content", "text"});
    if (content == nullptr) return out;
    if (content->is_string()) out.text = std::string(content->get_string());
    if (const auto* const parts = content->if_array())
        for (const json::Value& part : *parts)
            if (const std::string text = text_of(part, {"text"}); !text.empty())
                out.text.append(out.text.empty() ? "" : "\n").append(text);
    return out;
}

}  // namespace

Moment moment_of(std::string_view name) {
    const std::string plain = plain_name(name);
    for (const Named& row : kMoments)
        if (row.name == plain) return row.moment;
    return Moment::other;
}

Result<Event> read_event(Assistant assistant, std::string_view text, std::string_view name) {
    ASSIGN_OR_RETURN(const json::Value value, json::parse(text, kAnything));
    if (!value.is_object()) return fail(Errc::invalid_field, "the event: must be a JSON object");
    Event event;
    event.assistant = assistant;
    event.name = text_of(value, {"hook_event_name", "hookEventName"});
    if (event.name.empty()) event.name = name;
    if (event.name.empty())
        return fail(Errc::missing_field,
                    "hook_event_name: is required, or the name of the event beside it");
    event.moment = moment_of(event.name);
    event.session = text_of(value, {"session_id", "sessionId", "conversation_id"});
    TRY(check_name("session_id", event.session, limits::hook_session_id_bytes_max,
                   NameRule::label));
    event.folder = folder_of(value);
    event.source = text_of(value, {"source"});
    event.prompt = text_of(value, {"prompt", "initialPrompt"});
    event.said = text_of(value, {"last_assistant_message", "lastAssistantMessage"});
    if (plain_name(event.name) == "afteragentresponse" && event.said.empty())
        event.said = text_of(value, {"text"});
    event.model = text_of(value, {"model"});
    event.transcript = text_of(value, {"transcript_path", "transcriptPath"});
    if (event.moment == Moment::before_tool) take_tool(value, event);
    return event;
}

std::string forwarded(const Event& event) {
    const auto part = [](const std::string& text) {
        return cut(text, static_cast<std::size_t>(limits::hook_text_bytes_max));
    };
    return json::written(1024, [&](json::Writer& out) {
        out.object("hook_event_name", event.name, "session_id", event.session, "cwd", event.folder,
                   "source", event.source, "prompt", part(event.prompt), "tool_name", event.tool,
                   "tool_input",
                   json::Raw{json::written(
                       256, [&](json::Writer& input) { input.object("files", event.files); })},
                   "last_assistant_message", part(event.said), "model", event.model);
    });
}

LastSaid last_said(std::string_view text, std::size_t messages, std::size_t bytes_max) {
    LastSaid out;
    std::vector<std::string> found;  // the newest first
    while (!text.empty() && found.size() < messages) {
        const std::size_t begin = text.find_last_of('\n', text.size() - 1);
        const std::string_view line =
            trimmed(begin == std::string_view::npos ? text : text.substr(begin + 1), " \t\r");
        text = begin == std::string_view::npos ? std::string_view() : text.substr(0, begin);
        const Result<json::Value> value = json::parse(line, kAnything);
        if (!value) continue;  // also the one that the end begins within
        LastSaid message = message_in(*value);
        if (out.model.empty()) out.model = std::move(message.model);
        if (!message.text.empty()) found.push_back(std::move(message.text));
    }
    for (auto one = found.rbegin(); one != found.rend(); ++one)
        out.text.append(out.text.empty() ? "" : "\n\n").append(*one);
    if (out.text.size() > bytes_max) {
        std::size_t from = out.text.size() - bytes_max;
        while (from < out.text.size() && (out.text[from] & 0xc0) == 0x80)
            ++from;
        out.text.erase(0, from);
    }
    return out;
}

std::string_view cut(std::string_view text, std::size_t bytes_max) {
    if (text.size() <= bytes_max) return text;
    return text.substr(0, scan_utf8(text.substr(0, bytes_max)).valid_bytes);
}

}  // namespace dyad::server::hooks
