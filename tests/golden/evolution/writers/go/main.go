// Writes each case of standard input (see ../../README.md) as Confluent's serializer frames it: one line of hex each.
package main

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log"
	"math/big"
	"os"
	"reflect"
	"strings"

	"github.com/hamba/avro/v2"
)

type example struct {
	ID     uint32          `json:"id"`
	Schema json.RawMessage `json:"schema"`
	Value  any             `json:"value"`
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<24)
	for lines.Scan() {
		decoder := json.NewDecoder(strings.NewReader(lines.Text()))
		decoder.UseNumber()
		var each example
		if err := decoder.Decode(&each); err != nil {
			log.Fatal(err)
		}
		schema, err := avro.ParseWithCache(string(each.Schema), "", &avro.SchemaCache{})
		if err != nil {
			log.Fatal(err)
		}
		body, err := avro.Marshal(schema, native(schema, each.Value))
		if err != nil {
			log.Fatal(err)
		}
		framed := binary.BigEndian.AppendUint32([]byte{0}, each.ID)
		fmt.Println(hex.EncodeToString(append(framed, body...)))
	}
	if err := lines.Err(); err != nil {
		log.Fatal(err)
	}
}

// native returns a value of Avro's JSON encoding as the library takes it.
func native(schema avro.Schema, value any) any {
	switch each := schema.(type) {
	case *avro.RefSchema:
		return native(each.Schema(), value)
	case *avro.RecordSchema:
		fields := map[string]any{}
		for _, field := range each.Fields() {
			fields[field.Name()] = native(field.Type(), value.(map[string]any)[field.Name()])
		}
		return fields
	case *avro.UnionSchema:
		if value == nil {
			return nil
		}
		for name, inner := range value.(map[string]any) {
			branch, known := branchOf(each, name)
			return map[string]any{known: native(branch, inner)}
		}
	case *avro.ArraySchema:
		items := []any{}
		for _, item := range value.([]any) {
			items = append(items, native(each.Items(), item))
		}
		return items
	case *avro.MapSchema:
		values := map[string]any{}
		for key, inner := range value.(map[string]any) {
			values[key] = native(each.Values(), inner)
		}
		return values
	case *avro.FixedSchema:
		array := reflect.New(reflect.ArrayOf(each.Size(), reflect.TypeOf(byte(0)))).Elem()
		reflect.Copy(array, reflect.ValueOf(latin1(value.(string))))
		return array.Interface()
	case *avro.PrimitiveSchema:
		return primitive(each, value)
	}
	return value
}

// branchOf returns a branch of a union by its name, and the name by which the library knows it: with its logical type.
func branchOf(union *avro.UnionSchema, name string) (avro.Schema, string) {
	for _, branch := range union.Types() {
		known := string(branch.Type())
		if named, ok := branch.(avro.NamedSchema); ok {
			known = named.FullName()
		} else if ref, ok := branch.(*avro.RefSchema); ok {
			known = ref.Schema().FullName()
		}
		if known != name {
			continue
		}
		if typed, ok := branch.(avro.LogicalTypeSchema); ok && typed.Logical() != nil {
			known += "." + string(typed.Logical().Type())
		}
		return branch, known
	}
	log.Fatalf("no branch %s in %s", name, union)
	return nil, ""
}

func primitive(schema *avro.PrimitiveSchema, value any) any {
	switch schema.Type() {
	case avro.Int:
		whole, _ := value.(json.Number).Int64()
		return int(whole)
	case avro.Long:
		whole, _ := value.(json.Number).Int64()
		return whole
	case avro.Float:
		number, _ := value.(json.Number).Float64()
		return float32(number)
	case avro.Double:
		number, _ := value.(json.Number).Float64()
		return number
	case avro.Bytes:
		if decimal, ok := schema.Logical().(*avro.DecimalLogicalSchema); ok {
			unscaled := new(big.Int).SetBytes(latin1(value.(string)))
			scale := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(decimal.Scale())), nil)
			return new(big.Rat).SetFrac(unscaled, scale)
		}
		return latin1(value.(string))
	}
	return value
}

// latin1 returns the bytes that Avro's JSON encoding writes as the characters 0 to 255.
func latin1(text string) []byte {
	bytes := []byte{}
	for _, character := range text {
		bytes = append(bytes, byte(character))
	}
	return bytes
}
