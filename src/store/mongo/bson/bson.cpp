#include "store/mongo/bson/bson.hpp"

#include "base/check.hpp"

#include <cmath>

namespace dyad::mongo {
namespace {

int length(std::string_view text) {
    CHECK(text.size() < static_cast<std::size_t>(INT32_MAX));
    return static_cast<int>(text.size());
}

}  // namespace

// What does not fit is more than a document may have: limits.def allows nothing of the kind.
Bson& Bson::text(std::string_view name, std::string_view value) {
    CHECK(bson_append_utf8(&document_, name.data(), length(name), value.data(), length(value)));
    return *this;
}

Bson& Bson::number(std::string_view name, std::int64_t value) {
    CHECK(bson_append_int64(&document_, name.data(), length(name), value));
    return *this;
}

Bson& Bson::small(std::string_view name, std::int32_t value) {
    CHECK(bson_append_int32(&document_, name.data(), length(name), value));
    return *this;
}

Bson& Bson::real(std::string_view name, double value) {
    CHECK(bson_append_double(&document_, name.data(), length(name), value));
    return *this;
}

Bson& Bson::flag(std::string_view name, bool value) {
    CHECK(bson_append_bool(&document_, name.data(), length(name), value));
    return *this;
}

Bson& Bson::date(std::string_view name, std::int64_t ms) {
    CHECK(bson_append_date_time(&document_, name.data(), length(name), ms));
    return *this;
}

Bson& Bson::null(std::string_view name) {
    CHECK(bson_append_null(&document_, name.data(), length(name)));
    return *this;
}

Bson& Bson::binary(std::string_view name, std::span<const std::uint8_t> value) {
    CHECK(bson_append_binary(&document_, name.data(), length(name), BSON_SUBTYPE_BINARY,
                             value.data(), static_cast<std::uint32_t>(value.size())));
    return *this;
}

Bson& Bson::sub(std::string_view name, const Bson& value) {
    CHECK(bson_append_document(&document_, name.data(), length(name), value.get()));
    return *this;
}

Bson& Bson::array(std::string_view name, const Bson& value) {
    CHECK(bson_append_array(&document_, name.data(), length(name), value.get()));
    return *this;
}

Bson& Bson::texts(std::string_view name, const std::vector<std::string>& values) {
    Bson list;
    for (std::size_t i = 0; i < values.size(); ++i)
        list.text(std::to_string(i), values[i]);
    return array(name, list);
}

Bson& Bson::text_or_null(std::string_view name, const std::optional<std::string>& value) {
    return value ? text(name, *value) : null(name);
}

Bson& Bson::value(std::string_view name, const BsonValue& from) {
    CHECK(bson_append_iter(&document_, name.data(), length(name), &from.at));
    return *this;
}

BsonView::BsonView(const BsonValue& document_or_array) noexcept {
    const bson_iter_t* const at = &document_or_array.at;
    std::uint32_t bytes = 0;
    const std::uint8_t* data = nullptr;
    if (BSON_ITER_HOLDS_DOCUMENT(at))
        bson_iter_document(at, &bytes, &data);
    else if (BSON_ITER_HOLDS_ARRAY(at))
        bson_iter_array(at, &bytes, &data);
    if (data == nullptr || !bson_init_static(&inner_, data, bytes)) inner_.len = 0;
}

std::optional<BsonValue> BsonView::find(std::string_view path) const {
    bson_iter_t at;
    BsonValue found;
    if (!valid() || !bson_iter_init(&at, get())) return std::nullopt;
    if (!bson_iter_find_descendant(&at, std::string(path).c_str(), &found.at)) return std::nullopt;
    return found;
}

std::optional<std::string_view> BsonView::text(std::string_view path) const {
    const auto at = find(path);
    if (!at || !BSON_ITER_HOLDS_UTF8(&at->at)) return std::nullopt;
    std::uint32_t bytes = 0;
    const char* const data = bson_iter_utf8(&at->at, &bytes);
    return std::string_view(data, bytes);
}

std::optional<std::int64_t> BsonView::number(std::string_view path) const {
    const auto at = find(path);
    if (!at) return std::nullopt;
    if (BSON_ITER_HOLDS_INT(&at->at)) return bson_iter_as_int64(&at->at);
    if (!BSON_ITER_HOLDS_DOUBLE(&at->at)) return std::nullopt;
    const double value = bson_iter_double(&at->at);
    if (std::trunc(value) != value || std::abs(value) > 9.0e18) return std::nullopt;
    return static_cast<std::int64_t>(value);
}

std::optional<double> BsonView::real(std::string_view path) const {
    const auto at = find(path);
    if (!at || !BSON_ITER_HOLDS_NUMBER(&at->at)) return std::nullopt;
    return bson_iter_as_double(&at->at);
}

std::optional<bool> BsonView::flag(std::string_view path) const {
    const auto at = find(path);
    if (!at || !BSON_ITER_HOLDS_BOOL(&at->at)) return std::nullopt;
    return bson_iter_bool(&at->at);
}

std::optional<std::int64_t> BsonView::date(std::string_view path) const {
    const auto at = find(path);
    if (at && BSON_ITER_HOLDS_DATE_TIME(&at->at)) return bson_iter_date_time(&at->at);
    return number(path);
}

std::optional<std::span<const std::uint8_t>> BsonView::binary(std::string_view path) const {
    const auto at = find(path);
    if (!at || !BSON_ITER_HOLDS_BINARY(&at->at)) return std::nullopt;
    std::uint32_t bytes = 0;
    const std::uint8_t* data = nullptr;
    bson_iter_binary(&at->at, nullptr, &bytes, &data);
    return std::span(data, bytes);
}

BsonView BsonView::sub(std::string_view path) const {
    const auto at = find(path);
    return at ? BsonView(*at) : BsonView();
}

}  // namespace dyad::mongo
