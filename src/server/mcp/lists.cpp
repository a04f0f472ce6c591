#include "base/limits.hpp"
#include "model/identity.hpp"
#include "server/mcp/visit.hpp"

#include <cctype>

namespace dyad::server::mcp {
namespace {

constexpr std::size_t kListBytes = 16 * 1024;

bool is_template(const ResourceRow& row) {
    return row.uri.find('{') != std::string_view::npos;
}

// RFC 6570, level 1: an expression stands for what has no slash in it; the last one of a template
// that ends with it stands for all that follows.
bool matches(std::string_view pattern, std::string_view uri) {
    const std::size_t open = pattern.find('{');
    if (open == std::string_view::npos) return pattern == uri;
    if (uri.substr(0, open) != pattern.substr(0, open)) return false;
    uri.remove_prefix(open);
    pattern.remove_prefix(std::min(pattern.find('}', open), pattern.size() - 1) + 1);
    if (pattern.empty()) return !uri.empty();
    for (std::size_t end = 1; end <= uri.size() && uri[end - 1] != '/'; ++end)
        if (matches(pattern, uri.substr(end))) return true;
    return false;
}

void write_tool(json::Writer& out, const Tool& tool) {
    out.object([&] {
        out.members("name", tool.name, "title", tool.title, "description", tool.description,
                    "inputSchema", json::Raw{tool.input_schema});
        if (!tool.output_schema.empty()) out.member("outputSchema", json::Raw{tool.output_schema});
        out.member("annotations")
            .object("title", tool.title, "readOnlyHint", tool.read_only, "destructiveHint",
                    tool.destructive, "idempotentHint", tool.idempotent, "openWorldHint", false);
    });
}

}  // namespace

std::string instance_of(std::string_view client_info) {
    std::string name = text_member(client_info, "name").value_or("");
    for (char& c : name) {
        const auto byte = static_cast<unsigned char>(c);
        c = std::isalnum(byte) || c == '.' || c == '_' ? static_cast<char>(std::tolower(byte))
                                                       : '-';
    }
    name.erase(0, name.find_first_not_of('-'));
    name.resize(std::min<std::size_t>(name.size(), limits::instance_id_bytes_max));
    name.erase(name.find_last_not_of('-') + 1);
    return name.empty() ? "mcp" : name;
}

ClientCapabilities read_capabilities(std::string_view capabilities) {
    ClientCapabilities can;
    const auto members = members_of(capabilities);
    if (!members) return can;
    for (const auto& [name, value] : *members) {
        if (name == "sampling") can.sampling = true;
        if (name == "roots") can.roots = true;
        if (name != "elicitation") continue;
        const auto kinds = members_of(value);
        if (!kinds) continue;
        can.elicitation_form = kinds->empty();  // as before there were two of them
        for (const auto& kind : *kinds) {
            can.elicitation_form |= kind.first == "form";
            can.elicitation_url |= kind.first == "url";
        }
        // A member of neither name says nothing of the kind.
        if (!can.elicitation_url) can.elicitation_form = true;
    }
    return can;
}

std::string tools_list(const Registry& registry) {
    return json::written(kListBytes, [&](json::Writer& out) {
        out.raw("\"tools\":").array(registry.tools, [&](const Tool& tool) {
            write_tool(out, tool);
        });
    });
}

std::string prompts_list(const Registry& registry) {
    return json::written(kListBytes, [&](json::Writer& out) {
        out.raw("\"prompts\":").array(registry.prompts, [&](const Prompt& prompt) {
            out.object([&] {
                out.members("name", prompt.name, "title", prompt.title, "description",
                            prompt.description);
                out.member("arguments").array(prompt.arguments, [&](const PromptArgument& one) {
                    out.object("name", one.name, "description", one.description, "required",
                               one.required);
                });
            });
        });
    });
}

std::string resource_rows(const Registry& registry, bool templates) {
    std::string rows = json::written(kListBytes, [&](json::Writer& out) {
        for (const ResourceRow& row : registry.resources) {
            if (is_template(row) != templates) continue;
            out.raw(",").object([&] {
                templates ? out.member("uriTemplate", row.uri) : out.member("uri", row.uri);
                out.members("name", row.name, "title", row.title, "description", row.description,
                            "mimeType", row.mime_type);
            });
        }
    });
    return rows.substr(rows.empty() ? 0 : 1);
}

std::string capabilities_of(const Registry& registry, Era) {
    const bool changes = registry.lists_change;
    return json::written(256, [&](json::Writer& out) {
        out.object([&] {
            if (!registry.tools.empty()) out.member("tools").object("listChanged", changes);
            if (!registry.resources.empty() || registry.list_resources != nullptr)
                out.member("resources")
                    .object("subscribe", registry.changed_resource != nullptr, "listChanged",
                            changes);
            if (!registry.prompts.empty()) out.member("prompts").object("listChanged", changes);
            if (registry.complete != nullptr) out.member("completions", json::Raw{"{}"});
            if (registry.logs) out.member("logging", json::Raw{"{}"});
        });
    });
}

const ResourceRow* find_resource(const Registry& registry, std::string_view uri) {
    for (const ResourceRow& row : registry.resources)
        if (!is_template(row) && row.uri == uri) return &row;
    for (const ResourceRow& row : registry.resources)
        if (is_template(row) && matches(row.uri, uri)) return &row;
    return nullptr;
}

}  // namespace dyad::server::mcp
