#include "server/mcp/product.hpp"

#include "model/change.hpp"
#include "model/json_text.hpp"
#include "server/mcp/rpc.hpp"

namespace dyad::server::mcp {
namespace {

void memory_get(Call& call) {
    const auto key = text_member(call.arguments(), "key");
    if (!key) return call.failed(fail(Errc::missing_field, "key: names what is read"));
    call.node().engine().context(
        call.user(), *key, call.then([](Call& asked, const ContextPtr& found) {
            if (!found || found->deleted)
                return asked.failed(fail(Errc::not_found, "key: nothing is stored under it"));
            asked.result(json::written(512, [&](json::Writer& out) { write(out, *found); }));
        }));
}

constexpr Tool kTools[] = {{
    .name = "memory_get",
    .title = "Read a memory",
    .description = "Reads one entry of the shared memory by its key.",
    .input_schema =
        R"({"type":"object","properties":{"key":{"type":"string"}},"required":["key"]})",
    .output_schema = R"({"type":"object"})",
    .read_only = true,
    .idempotent = true,
    .call = memory_get,
}};

}  // namespace

const Registry& product_registry() {
    static const Registry registry{.instructions = "A memory that all assistants share.",
                                   .tools = kTools};
    return registry;
}

}  // namespace dyad::server::mcp
