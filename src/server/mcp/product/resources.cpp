// Resources: every context, and the modes; and what completes the names of both.
#include "base/bytes.hpp"
#include "model/time_text.hpp"
#include "net/http.hpp"
#include "server/mcp/product/arguments.hpp"
#include "server/mcp/product/tools.hpp"
#include "server/mcp/product/value.hpp"

#include <algorithm>
#include <set>

namespace dyad::server::mcp {
namespace {

constexpr std::string_view kContexts = "memory://contexts/";
constexpr std::size_t kPage = 100;

struct UriArguments {
    std::string uri;
};
constexpr json::MemberOf<UriArguments> kUri[] = {{"uri", take<&UriArguments::uri>}};
struct CursorArguments {
    std::string cursor;
};
constexpr json::MemberOf<CursorArguments> kCursor[] = {{"cursor", take<&CursorArguments::cursor>}};

// What is completed.
struct CompleteArguments {
    std::string argument, value;
};
constexpr json::MemberOf<CompleteArguments> kArgument[] = {
    {"name", take<&CompleteArguments::argument>}, {"value", take<&CompleteArguments::value>}};
constexpr json::MemberOf<CompleteArguments> kComplete[] = {
    {"ref", [](json::Field& field, CompleteArguments&) { return field.skip(); }},
    {"argument",
     [](json::Field& field, CompleteArguments& out) { return field.object<kArgument>(out).good; }},
    {"context", [](json::Field& field, CompleteArguments&) { return field.skip(); }}};

void answer_text(Call& call, const std::string& uri, const std::string& text) {
    call.content(json::written(text.size() + 256, [&](json::Writer& out) {
        out.raw("\"contents\":[");
        out.object("uri", uri, "mimeType", "application/json", "text", text).raw("]");
    }));
}

void write_resource(json::Writer& out, const Context& context) {
    out.object([&] {
        out.members("uri", uri_of(context.key), "name", context.key, "mimeType", "application/json",
                    "description",
                    "Version " + std::to_string(context.version) + ", written by " +
                        context.last_modified_by,
                    "size", context.data.size());
        out.member("annotations").object("lastModified", write_time(context.updated_at_ms));
    });
}

void write_page(Call& call, const core::Snapshot& state, const std::string& after) {
    const auto is_after = [](const std::string& key, const ContextPtr& c) { return key < c->key; };
    const auto begin =
        std::upper_bound(state.contexts.begin(), state.contexts.end(), after, is_after);
    const auto left = static_cast<std::size_t>(state.contexts.end() - begin);
    const std::span page(begin, std::min(left, kPage));
    call.content(json::written(256 * page.size() + 64, [&](json::Writer& out) {
        out.raw("\"resources\":");
        out.array(page, [&](const ContextPtr& context) { write_resource(out, *context); });
        if (left > page.size()) out.member("nextCursor", to_hex(as_bytes(page.back()->key)));
    }));
}

// Those that begin with what was typed, then those that have it inside.
void write_completion(Call& call, const std::set<std::string_view>& names, std::string_view typed) {
    std::vector<std::string_view> found;
    for (const std::string_view name : names)
        if (name.starts_with(typed)) found.push_back(name);
    for (const std::string_view name : names)
        if (name.find(typed, 1) != std::string_view::npos && !name.starts_with(typed))
            found.push_back(name);
    const std::size_t total = found.size();
    found.resize(std::min(total, kPage));
    call.content(json::written(2048, [&](json::Writer& out) {
        out.raw("\"completion\":")
            .object("values", found, "total", total, "hasMore", total > found.size());
    }));
}

template <class Out, const auto& known>
std::optional<Out> given(Call& call) {
    Result<Out> arguments = read_arguments<Out, known>(call);
    if (arguments) return *std::move(arguments);
    call.refused(arguments.error());
    return std::nullopt;
}

}  // namespace

void list_resources(Call& call) {
    const auto wanted = given<CursorArguments, kCursor>(call);
    if (!wanted) return;
    std::string after(wanted->cursor.size() / 2, '\0');
    if (!read_hex(wanted->cursor, {reinterpret_cast<std::uint8_t*>(after.data()), after.size()}))
        return call.refused(
            fail(Errc::invalid_field, "cursor: must be the nextCursor of the page before"));
    call.node().engine().snapshot(
        call.user(), call.then([after = std::move(after)](Call& to, const SnapshotPtr& state) {
            write_page(to, *state, after);
        }),
        core::Freshness::best());
}

void read_context_resource(Call& call) {
    const auto wanted = given<UriArguments, kUri>(call);
    if (!wanted) return;
    const auto key =
        wanted->uri.starts_with(kContexts)
            ? net::percent_decode(std::string_view(wanted->uri).substr(kContexts.size()))
            : std::nullopt;
    if (!key || key->empty())
        return call.refused(fail(Errc::invalid_field,
                                 "uri: must be memory://contexts/ and the "
                                 "percent-encoded key"));
    call.node().engine().context(
        call.user(), *key,
        call.then([uri = wanted->uri, key = *key](Call& to, const ContextPtr& context) {
            if (!context || context->deleted)
                return to.refused(
                    fail(Errc::not_found, "uri: nothing is stored under \"" + key + "\""));
            answer_text(to, uri,
                        json::written(512, [&](json::Writer& out) { write_value(out, *context); }));
        }),
        core::Freshness::best());
}

void read_modes_resource(Call& call) {
    const auto wanted = given<UriArguments, kUri>(call);
    if (!wanted) return;
    call.node().engine().snapshot(
        call.user(), call.then([uri = wanted->uri](Call& to, const SnapshotPtr& state) {
            answer_text(to, uri, json::written(512, [&](json::Writer& out) {
                            out.raw("{\"modes\":");
                            out.array(state->modes, [&](const ModeState& mode) {
                                out.object([&] { write_mode_members(out, mode); });
                            });
                            out.raw("}");
                        }));
        }),
        core::Freshness::best());
}

void complete(Call& call) {
    const auto wanted = given<CompleteArguments, kComplete>(call);
    if (!wanted) return;
    call.node().engine().snapshot(call.user(),
                                  call.then([wanted = *wanted](Call& to, const SnapshotPtr& state) {
                                      std::set<std::string_view> names;
                                      for (const ContextPtr& context : state->contexts) {
                                          if (wanted.argument == "key") names.insert(context->key);
                                          if (wanted.argument == "to")
                                              names.insert(context->last_modified_by);
                                      }
                                      for (const ModeState& mode : state->modes)
                                          if (wanted.argument == "to")
                                              names.insert(mode.instance_id);
                                      write_completion(to, names, wanted.value);
                                  }),
                                  core::Freshness::best());
}

std::string changed_resource(const EventView& event) {
    if (event.kind == EventKind::mode_changed) return "memory://modes";
    if (event.kind != EventKind::context_changed) return {};
    return uri_of(std::string_view(event.scope).substr(std::string_view("ctx:").size()));
}

}  // namespace dyad::server::mcp
