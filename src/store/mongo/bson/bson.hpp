// BSON documents: one that is owned and built member by member, and a view to read one.
//
//     Bson filter = Bson().text("userId", user).number("offset", 7).sub("dyad", Bson().flag("x",
//     true));
//
// Names and texts may hold anything but NUL in a name, which BSON cannot have (bson_json.hpp).
// Threads: as a value.
#pragma once

#include "base/bytes.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <bson/bson.h>

namespace dyad::mongo {

class BsonView;

// Where a value stands. (A type of our own, since templates do not see how libbson aligns its own.)
struct BsonValue {
    bson_iter_t at;

    bson_type_t type() const noexcept { return bson_iter_type(&at); }
};

class Bson {
  public:
    Bson() noexcept { bson_init(&document_); }
    Bson(const Bson& other) { bson_copy_to(&other.document_, &document_); }
    Bson(Bson&& other) noexcept { bson_init(&document_), steal(other); }
    Bson& operator=(Bson other) noexcept {
        steal(other);
        return *this;
    }
    ~Bson() { bson_destroy(&document_); }
    static Bson copy_of(const bson_t* document) { return Bson(document); }

    bson_t* get() noexcept { return &document_; }
    const bson_t* get() const noexcept { return &document_; }
    BsonView view() const noexcept;
    bool empty() const noexcept { return bson_empty(&document_); }
    std::size_t bytes() const noexcept { return document_.len; }

    Bson& text(std::string_view name, std::string_view value);
    Bson& number(std::string_view name, std::int64_t value);
    Bson& small(std::string_view name, std::int32_t value);  // as drivers write numbers
    Bson& real(std::string_view name, double value);
    Bson& flag(std::string_view name, bool value);
    Bson& date(std::string_view name, std::int64_t ms);
    Bson& null(std::string_view name);
    Bson& binary(std::string_view name, std::span<const std::uint8_t> value);
    Bson& sub(std::string_view name, const Bson& value);
    Bson& array(std::string_view name, const Bson& value);  // its members are named "0", "1" …
    Bson& texts(std::string_view name, const std::vector<std::string>& values);
    // null where there is none.
    Bson& text_or_null(std::string_view name, const std::optional<std::string>& value);
    // The value at `from`, as it stands.
    Bson& value(std::string_view name, const BsonValue& from);

  private:
    explicit Bson(const bson_t* document) { bson_copy_to(document, &document_); }
    void steal(Bson& other) noexcept {
        bson_destroy(&document_);
        bson_steal(&document_, &other.document_);
        bson_init(&other.document_);
    }

    bson_t document_;
};

// Reads members of a document that it does not own. A name may be a path ("metadata.version").
class BsonView {
  public:
    BsonView() = default;
    explicit BsonView(const bson_t* document) noexcept : document_(document) {}
    explicit BsonView(const BsonValue& document_or_array) noexcept;

    bool valid() const noexcept { return document_ != nullptr || inner_.len != 0; }
    const bson_t* get() const noexcept { return document_ != nullptr ? document_ : &inner_; }

    std::optional<BsonValue> find(std::string_view path) const;
    std::optional<std::string_view> text(std::string_view path) const;
    // Any number without a fraction.
    std::optional<std::int64_t> number(std::string_view path) const;
    std::optional<double> real(std::string_view path) const;
    std::optional<bool> flag(std::string_view path) const;
    // A date, or a number of milliseconds.
    std::optional<std::int64_t> date(std::string_view path) const;
    std::optional<std::span<const std::uint8_t>> binary(std::string_view path) const;
    BsonView sub(std::string_view path) const;  // a document or array; not valid where it is none
    // Calls `each` with every member.
    template <class Each>
    void members(Each each) const {
        BsonValue value;
        if (!valid() || !bson_iter_init(&value.at, get())) return;
        while (bson_iter_next(&value.at))
            each(std::string_view(bson_iter_key(&value.at), bson_iter_key_len(&value.at)),
                 static_cast<const BsonValue&>(value));
    }

  private:
    const bson_t* document_ = nullptr;
    bson_t inner_{};
};

inline BsonView Bson::view() const noexcept {
    return BsonView(&document_);
}

}  // namespace dyad::mongo
