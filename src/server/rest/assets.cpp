#include "server/rest/assets.hpp"

#include "base/sha256.hpp"

// The assembler takes the files in as they are (`.incbin`); CMake gives the folder.
#define DYAD_EMBED(symbol, file)                 \
    __asm__(                                     \
        ".section .rodata\n"                     \
        ".global dyad_asset_" #symbol            \
        "\n"                                     \
        "dyad_asset_" #symbol                    \
        ":\n"                                    \
        ".incbin \"" DYAD_SOURCE_DIR "/" file    \
        "\"\n"                                   \
        ".global dyad_asset_" #symbol            \
        "_end\n"                                 \
        "dyad_asset_" #symbol                    \
        "_end:\n"                                \
        ".byte 0\n"                              \
        ".previous\n");                          \
    extern "C" const char dyad_asset_##symbol[]; \
    extern "C" const char dyad_asset_##symbol##_end[]

DYAD_EMBED(index, "web/status/index.html");
DYAD_EMBED(script, "web/status/status.js");
DYAD_EMBED(style, "web/status/status.css");
DYAD_EMBED(openapi, "protocol/openapi.yaml");
DYAD_EMBED(openapi_json, "protocol/openapi.json");

namespace dyad::server::rest {
namespace {

Asset asset(std::string_view path, std::string_view type, const char* begin, const char* end) {
    const std::string_view bytes(begin, static_cast<std::size_t>(end - begin));
    return {path, type, bytes, "\"" + to_hex(sha256({bytes})).substr(0, 16) + "\""};
}

}  // namespace

const Asset* find_asset(std::string_view path) {
    static const Asset table[] = {
        asset("/", "text/html; charset=utf-8", dyad_asset_index, dyad_asset_index_end),
        asset("/assets/status.js", "text/javascript; charset=utf-8", dyad_asset_script,
              dyad_asset_script_end),
        asset("/assets/status.css", "text/css; charset=utf-8", dyad_asset_style,
              dyad_asset_style_end),
        asset("/api/v1/openapi.yaml", "application/yaml", dyad_asset_openapi,
              dyad_asset_openapi_end),
        asset("/api/v1/openapi.json", "application/json", dyad_asset_openapi_json,
              dyad_asset_openapi_json_end),
    };
    for (const Asset& asset : table)
        if (asset.path == path) return &asset;
    return nullptr;
}

}  // namespace dyad::server::rest
